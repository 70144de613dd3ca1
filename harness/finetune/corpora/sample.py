"""A seeded choice of a corpus's rows, which depends neither on the order of files nor on a library's generator."""

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
from harness.finetune.data import DURATION_TOLERANCE


@dataclass(frozen=True)
class SampledRow:
    """A row whose audio can be read, with its length in seconds."""

    row: CorpusRow
    seconds: float


@dataclass(frozen=True)
class SampleRequest:
    """How many rows to choose, by which seed; a label for display; and the model's audio window in seconds."""

    label: str
    rows: int
    seed: int
    window: float


def sample(rows: Sequence[CorpusRow], request: SampleRequest, left_out: Counter[str]) -> list[SampledRow]:
    """Choose rows in the order of sha256(seed, recording, offset), without those whose audio cannot be used.

    Args:
        rows: the candidates, in any order.
        request: how many rows, and by which seed.
        left_out: incremented for each row without usable audio, by reason.

    Returns:
        the chosen rows, sorted by recording and offset.

    Raises:
        UserError: there are not enough rows with usable audio; the sentence gives the reasons.
    """

    def rank(row: CorpusRow) -> bytes:
        return hashlib.sha256(f"{request.seed}\n{row.name}\n{row.offset:.3f}".encode()).digest()

    usable_seconds = _duration_check(request.window)
    chosen: list[SampledRow] = []
    with progress(f"sample {request.label}", request.rows) as advance:
        for row in sorted(rows, key=rank):
            if len(chosen) == request.rows:
                break
            if isinstance(seconds := usable_seconds(row), str):
                left_out[seconds] += 1
                continue
            chosen.append(SampledRow(row, seconds))
            advance(1)
    if len(chosen) < request.rows:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common()) or "none"
        raise UserError(
            f"{request.label} has {len(chosen)} usable rows, but {request.rows} are needed (left out: {reasons}): "
            "restore the corpus, or reduce the number of rows in a copy of the mixture."
        )
    return sorted(chosen, key=lambda each: (each.row.name, each.row.offset))


def _duration_check(window: float) -> Callable[[CorpusRow], float | str]:
    """Return a function that returns a row's seconds, or why it cannot be used; it opens each recording once."""

    @cache
    def length(path: Path) -> float | str:
        if not path.is_file():
            return "audio missing"
        try:
            return open_recording(path).seconds
        except UserError:
            return "audio unreadable"

    def seconds(row: CorpusRow) -> float | str:
        if isinstance(whole := length(row.audio), str):
            return whole
        duration = whole - row.offset if row.duration is None else row.duration
        if duration <= 0 or row.offset + duration > whole + DURATION_TOLERANCE:
            return "ends after its recording"
        return duration if duration <= window else f"longer than {window:g} s"

    return seconds
