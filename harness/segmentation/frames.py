"""Frame probabilities, and spans of frames."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Probabilities: TypeAlias = "NDArray[np.float64]"
DECIMALS = 4
"""Decimals of a second in segmentations; the published algorithms compare lengths after this rounding."""


class Span(NamedTuple):
    """Frames [start, stop) of a recording; empty when both are equal."""

    start: int
    stop: int


@dataclass(frozen=True)
class Frames:
    """Probabilities of one recording's frames (float64, shape (frames,), between 0 and 1), and frames per second."""

    probabilities: Probabilities
    rate: float

    def seconds(self, frames: int) -> float:
        """Return the duration of a number of frames in seconds, rounded to `DECIMALS`."""
        return round(float(frames) / self.rate, DECIMALS)

    def duration(self, span: Span) -> float:
        """Return a span's length in seconds, rounded to `DECIMALS`."""
        return self.seconds(span.stop - span.start)


@dataclass(frozen=True)
class Limits:
    """Segments are shorter than max_seconds, halves of a split longer than min_seconds, speech is from threshold on."""

    max_seconds: float
    min_seconds: float
    threshold: float
