"""Boundaries recovered by mweralign: on the references of the demo's eval set, however they are divided."""

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from harness.resegmentation import Talk, get_resegmenter, resegment
from harness.resegmentation.text_mapping import SPACELESS, join
from harness.scoring.metrics.bleu import score_bleu

CORPUS = Path(__file__).parents[2] / "data" / "demo" / "corpus" / "eval" / "sentences.jsonl"
MWERALIGN = get_resegmenter("mweralign")


def sentences(language: str) -> dict[str, list[str]]:
    """Return the sentences of the demo's eval talks."""
    found: dict[str, list[str]] = {}
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["talk"], []).append(row[language])
    return found


def cut_elsewhere(text: str, language: str, rng: random.Random) -> list[str]:
    """Cut a talk's text into lines of other lengths, at words, or at characters where there are no spaces."""
    units = list(text) if language in SPACELESS else text.split()
    cuts = sorted({0, len(units), *rng.sample(range(len(units)), 20)})
    glue = "" if language in SPACELESS else " "
    return [glue.join(units[begin:end]) for begin, end in pairwise(cuts)]


def worsened(line: str, language: str, rng: random.Random) -> str:
    """Return a line with some of its words, or characters, left out or exchanged: a translation like a model's."""
    units = list(line) if language in SPACELESS else line.split()
    kept = [rng.choice(units) if rng.random() < 0.15 else unit for unit in units if rng.random() > 0.1]
    return ("" if language in SPACELESS else " ").join(kept)


def lines_of(talks: Sequence[Talk], language: str, folder: Path) -> list[str]:
    """Return the lines of mweralign for talks."""
    return list(resegment(talks, MWERALIGN, language, folder).lines)


@pytest.mark.parametrize("language", ["de", "zh"])
def test_gold_boundaries_are_found_again_exactly(language: str, tmp_path: Path) -> None:
    """Forbids a single misplaced boundary when a talk's joined references are cut along themselves."""
    gold = sentences(language)
    talks = [Talk(name, join(lines, language), tuple(lines)) for name, lines in gold.items()]
    assert lines_of(talks, language, tmp_path) == [line for lines in gold.values() for line in lines]


@pytest.mark.parametrize("language", ["de", "zh"])
def test_other_segmentations_of_the_same_words_score_alike(language: str, tmp_path: Path) -> None:
    """Forbids that BLEU moves by more than 0.5 because the same words came in other lines."""
    rng = random.Random(11)
    gold = sentences(language)
    said = {name: [worsened(line, language, rng) for line in lines] for name, lines in gold.items()}
    references = [line for lines in gold.values() for line in lines]
    plain = score_bleu([line for lines in said.values() for line in lines], references, language, "").score.value
    assert 20 < plain < 80
    for _ in range(3):
        talks = [
            Talk(name, join(cut_elsewhere(join(lines, language), language, rng), language), tuple(gold[name]))
            for name, lines in said.items()
        ]
        found = score_bleu(lines_of(talks, language, tmp_path), references, language, "").score.value
        assert abs(found - plain) < 0.5
