"""Fixed windows: segments of equal length, whatever is said in them."""

import math
from itertools import pairwise

from harness.audio.recording import Recording, open_recording
from harness.segmentation.frames import DECIMALS
from harness.segmentation.segmenter import SEGMENTERS, Basis, SegmentationRequest, SegmentationResult, Segmenter
from harness.testsets.segments import Segment, Segmentation


def fixed(recording: Recording, max_seconds: float) -> tuple[Segment, ...]:
    """Divide a recording into the smallest number of equal windows that respects the limit.

    Nothing is left out: each window begins where the one before ends.
    """
    end = math.floor(recording.seconds * 10**DECIMALS) / 10**DECIMALS
    count = max(1, math.ceil(end / max_seconds))
    borders, wav = [round(end * i / count, DECIMALS) for i in range(count + 1)], recording.path.name
    return tuple(Segment(wav, start, round(stop - start, DECIMALS)) for start, stop in pairwise(borders))


def _segment(request: SegmentationRequest) -> SegmentationResult:
    test_set, max_seconds = request.test_set, request.settings.max_seconds
    recordings = [open_recording(test_set.audio / wav) for wav in test_set.file_order]
    segments = tuple(one for recording in recordings for one in fixed(recording, max_seconds))
    return SegmentationResult(Segmentation(test_set.name, f"fixed|max:{max_seconds:g}", segments))


SEGMENTERS.add("fixed", Segmenter(Basis.LENGTH, _segment), __name__)
