"""Gold segments: the sentence boundaries that come with a test set."""

from harness.core.errors import UserError
from harness.segmentation.segmenter import SEGMENTERS, Basis, SegmentationRequest, SegmentationResult, Segmenter


def _segment(request: SegmentationRequest) -> SegmentationResult:
    if request.test_set.gold is None:
        raise UserError(f"Test set {request.test_set.name!r} has no gold segments: choose another segmentation.")
    return SegmentationResult(request.test_set.gold)


SEGMENTERS.add("gold", Segmenter(Basis.GOLD, _segment), __name__)
