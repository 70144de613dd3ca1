"""Which rows of a corpus are trained on: a seeded choice that depends on no order of files and no library."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.audio.recording import open_recording
from harness.core.errors import UserError
from harness.core.progress import progress
from harness.finetune.corpora.base import CorpusRow

_SLACK = 0.01
"""Seconds by which a row may end after its recording, as in a training manifest."""


@dataclass(frozen=True)
class Chosen:
    """An example whose audio was found, with its length in seconds."""

    example: CorpusRow
    seconds: float


@dataclass(frozen=True)
class SampleRequest:
    """What is to be chosen.

    Attributes:
        label: the corpus and the language, for people.
        rows: how many.
        seed: of the choice.
        window: seconds that the model hears.
    """

    label: str
    rows: int
    seed: int
    window: float


def choose(examples: Sequence[CorpusRow], wanted: SampleRequest, left_out: Counter[str]) -> list[Chosen]:
    """Choose rows in the order of sha256(seed, recording, offset); a row whose audio does not suit gives way.

    Args:
        examples: the candidates, in any order.
        wanted: how many, and by which seed.
        left_out: counts those that gave way, by reason.

    Returns:
        the chosen ones in the corpus's own order: by recording and offset.

    Raises:
        UserError: there are not enough rows with good audio; the sentence says why rows were left out.
    """
    seconds = _meter(wanted.window)
    chosen: list[Chosen] = []
    with progress(f"sample {wanted.label}", wanted.rows) as advance:
        for example in sorted(examples, key=lambda each: _draw(wanted.seed, each)):
            if len(chosen) == wanted.rows:
                break
            found = seconds(example)
            if isinstance(found, str):
                left_out[found] += 1
                continue
            chosen.append(Chosen(example, found))
            advance(1)
    if len(chosen) < wanted.rows:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common()) or "none"
        raise UserError(
            f"{wanted.label} has {len(chosen)} rows that can be used, and {wanted.rows} are wanted (left out: "
            f"{reasons}): restore the corpus, or ask for fewer rows in a copy of the mixture."
        )
    return sorted(chosen, key=lambda each: (each.example.name, each.example.offset))


def _draw(seed: int, example: CorpusRow) -> bytes:
    return hashlib.sha256(f"{seed}\n{example.name}\n{example.offset:.3f}".encode()).digest()


def _meter(window: float) -> Callable[[CorpusRow], float | str]:
    """Return what says how many seconds an example has, or why it cannot be used; each recording is opened once."""

    @cache
    def length(path: Path) -> float | str:
        if not path.is_file():
            return "audio missing"
        try:
            return open_recording(path).seconds
        except UserError:
            return "audio does not read"

    def seconds(example: CorpusRow) -> float | str:
        whole = length(example.audio)
        if isinstance(whole, str):
            return whole
        duration = whole - example.offset if example.duration is None else example.duration
        if duration <= 0 or example.offset + duration > whole + _SLACK:
            return "leaves its recording"
        return duration if duration <= window else f"longer than {window:g} s"

    return seconds
