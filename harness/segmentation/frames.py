"""Frame probabilities, and spans of frames."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DECIMALS = 4
"""Decimals of a second in segmentations; the published algorithms compare lengths after this rounding."""


class Span(NamedTuple):
    """Frames [start, stop) of a recording; empty when both are equal."""

    start: int
    stop: int


@dataclass(frozen=True)
class Frames:
    """Frame probabilities of one recording.

    Attributes:
        probabilities: float64, shape (frames,), between 0 and 1.
        rate: frames per second.
    """

    probabilities: "NDArray[np.float64]"
    rate: float

    def seconds(self, frames: int) -> float:
        """Return the duration of a number of frames in seconds, rounded to `DECIMALS`."""
        return round(float(frames) / self.rate, DECIMALS)

    def duration(self, span: Span) -> float:
        """Return a span's length in seconds, rounded to `DECIMALS`."""
        return self.seconds(span.stop - span.start)


@dataclass(frozen=True)
class Limits:
    """Limits of segments.

    Attributes:
        max_seconds: segments are shorter than this.
        min_seconds: halves of a split are longer than this.
        threshold: probability from which a frame is speech.
    """

    max_seconds: float
    min_seconds: float
    threshold: float
