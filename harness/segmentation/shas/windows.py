"""The windows in which SHAS classifies a recording, and the frames of each.

Source: github.com/mt-upc/SHAS, src/supervised_hybrid/data.py and eval.py. Two faults of the published code
are corrected: a recording under 2 s is one window (there it has none), and a recording whose length falls between two
frames, such as 30 s, ends with its last window's last frame (there the two differ by one, which is an error).
"""

from dataclasses import dataclass
from itertools import pairwise

from harness.audio.recording import RATE
from harness.segmentation.frames import Probabilities

FRAME_RATE = 49.95
"""Frames per second of wav2vec 2.0, as published; the nominal 16000/320 gives one frame too many in 20 s."""

_SHORTEST_REST = 2 * RATE
"""A remainder shorter than this many samples is part of the window before it."""
_NEIGHBOURS = 2


@dataclass(frozen=True)
class Window:
    """Samples [start, stop) of a recording at 16 kHz, and their frames [first, last)."""

    start: int
    stop: int

    @property
    def first(self) -> int:
        """First frame."""
        return frame_at(self.start)

    @property
    def last(self) -> int:
        """Frame after the last."""
        return frame_at(self.stop)


def frame_at(sample: int) -> int:
    """Return the frame that begins nearest to a sample; ties round up."""
    return round((sample + 1e-6) * (1 / (RATE / FRAME_RATE)))


def windows(samples: int, length: int, start: int = 0) -> tuple[Window, ...]:
    """Divide a recording of `samples` at 16 kHz, at least 1, into windows of `length` samples.

    `start` is the first border after 0; each pass over a recording has another one.
    """
    first = start if start < samples else 0
    borders = list(range(first, samples, length))
    if borders[0] != 0:
        borders.insert(0, 0)
    if len(borders) > 1 and samples - borders[-1] < _SHORTEST_REST:
        borders.pop()
    borders.append(samples)
    return tuple(Window(*pair) for pair in pairwise(borders))


def fill_gaps(track: Probabilities) -> None:
    """Replace NaN by the mean of the values within two frames, from left to right, in place."""
    import numpy as np

    for gap in np.flatnonzero(np.isnan(track)):
        near = track[max(0, gap - _NEIGHBOURS) : gap + _NEIGHBOURS + 1]
        known = near[~np.isnan(near)]
        if len(known):
            track[gap] = known.mean()
