"""data/demo: the committed files are complete and small, unseen in training, and fit their profile."""

import hashlib
import json
from pathlib import Path

import pytest

from demo.synthesise import split_sentences
from harness.calibration.system_artifacts import build_system
from harness.compression.build import build
from harness.compression.codecs import Hqq
from harness.compression.plan import resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.registry import get_system
from harness.compression.selectors import EMBEDDING, LINEAR, MLP, layers
from harness.compression.size import measure
from harness.config.task import load_task
from harness.core import manifests
from harness.core.workdir import open_workdir
from harness.models.checkpoint import Checkpoint, open_checkpoint

DEMO = manifests.data_root() / "data" / "demo"
ROLES = ("untuned", "finetuned", "instruct")


def rows(split: str) -> list[dict[str, str]]:
    text = (DEMO / "corpus" / split / "sentences.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_file_has_its_checksum() -> None:
    """Forbids a committed file that differs from its checksum, or has none."""
    lines = [line.split("  ", 1) for line in (DEMO / "SHA256SUMS").read_text().splitlines()]
    stated = {name: digest for digest, name in lines}
    found = {str(p.relative_to(DEMO)): p for p in DEMO.rglob("*") if p.is_file() and p.name != "SHA256SUMS"}
    assert stated == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


def test_the_demo_is_small() -> None:
    """Forbids that a clone costs more than 40 MB of demo."""
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) <= 40_000_000


@pytest.mark.parametrize(("split", "fewest"), [("dev", 300), ("eval", 150)])
def test_the_splits_are_long_enough(split: str, fewest: int) -> None:
    """Forbids a corpus too small to tell systems apart: five talks, and enough sentences."""
    found = rows(split)
    assert len(found) >= fewest
    order = (DEMO / "corpus" / split / "FILE_ORDER").read_text().split()
    assert len(order) == 5
    assert list(dict.fromkeys(row["talk"] for row in found)) == order


def test_no_sentence_of_dev_or_eval_was_trained_on() -> None:
    """Forbids that the demo is scored on training sentences; the second source is the training grammar itself."""
    splits = split_sentences()
    trained = {sentence.en for name in ("general", "tune") for sentence in splits[name]}
    dev, evaluation = ({row["en"] for row in rows(split)} for split in ("dev", "eval"))
    assert not trained & (dev | evaluation)
    assert not dev & evaluation


def test_each_role_states_its_training_data() -> None:
    """Forbids provenance that is missing or contradicts the role: only the untuned base has general data alone."""
    records = {role: json.loads((DEMO / "models" / role / "training.json").read_text()) for role in ROLES}
    assert {record["role"] for record in records.values()} == set(ROLES)
    assert records["untuned"]["datasets"] == ["demo-general"]
    assert "demo-train" in records["finetuned"]["datasets"]


@pytest.fixture(scope="module")
def finetuned() -> Checkpoint:
    return open_checkpoint(DEMO / "models" / "finetuned")


def test_the_language_model_has_layers_to_choose_from(finetuned: Checkpoint) -> None:
    """Forbids a miniature on which layers cannot be chosen: 12 to 16 decoder layers, hidden a multiple of 64."""
    (embedding,) = (spec for spec in finetuned.specs if EMBEDDING.matches(spec))
    count = 1 + max(spec.layer or 0 for spec in finetuned.specs if spec.name.startswith("language_model."))
    assert 12 <= count <= 16
    assert embedding.shape[1] % 64 == 0


def test_the_limit_lies_between_row_8_and_the_contrastive_system(finetuned: Checkpoint, tmp_path: Path) -> None:
    """Forbids a demo limit that all or no systems meet: like 4 GB at 7B, it lies between these two systems.

    Row 8 of the first paper: 4 bits in groups of 128, embedding at 2 bits. Contrastive: four MLPs at 3 bits more.
    """
    limit, workdir = load_task("demo").limit, open_workdir(str(tmp_path))
    row8 = (rule(EMBEDDING, Hqq(bits=2, group_size=128)), rule(LINEAR, Hqq(bits=4, group_size=128)))
    chosen = rule(MLP & layers(0, 1, 2, 3), Hqq(bits=3, group_size=128))
    totals = []
    for name, recipe in (("row8", Recipe(*row8)), ("contrastive", Recipe(chosen, *row8))):
        artifact = build(finetuned, resolve(name, recipe, finetuned.specs), "finetuned", workdir)
        totals.append(measure(artifact).total)
    assert not limit.admits(totals[0])
    assert limit.admits(totals[1])


def test_the_second_papers_ladder_of_sizes(tmp_path: Path) -> None:
    """Forbids an order of sizes other than the second paper's table 1: global q2 < selected q2 < q3 < fp16."""
    task, workdir = load_task("demo"), open_workdir(str(tmp_path))
    names = ("codec-global-q2", "codec-selected-q2", "codec-selected-q3", "fp16-instruct")
    totals = [measure(build_system(task, get_system(name), workdir)).total for name in names]
    assert totals == sorted(set(totals))
