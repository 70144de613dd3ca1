"""Fixed windows: segments of equal length, whatever is said in them."""

import math
from itertools import pairwise

from harness.audio.recording import Recording
from harness.segmentation.frames import DECIMALS
from harness.testsets.segments import Segment


def fixed(recording: Recording, max_seconds: float) -> tuple[Segment, ...]:
    """Divide a recording into as few equal windows as keep the limit, so that no stub is left at its end.

    Nothing is left out: each window begins where the one before ends.
    """
    end = math.floor(recording.seconds * 10**DECIMALS) / 10**DECIMALS
    count = max(1, math.ceil(end / max_seconds))
    borders = [round(end * i / count, DECIMALS) for i in range(count + 1)]
    return tuple(
        Segment(recording.path.name, start, round(stop - start, DECIMALS)) for start, stop in pairwise(borders)
    )
