"""silero-vad: speech frames from the small network of the silero-vad package, cut into segments by pDAC or pSTRM."""

from harness.segmentation.cut import segment_frames
from harness.segmentation.segmenter import SEGMENTERS, Basis, SegmentationRequest, SegmentationResult, Segmenter
from harness.segmentation.silero.frame_classifier import SileroFrameClassifier


def _segment(request: SegmentationRequest) -> SegmentationResult:
    return segment_frames(request, SileroFrameClassifier())


SEGMENTERS.add("silero", Segmenter(Basis.MODEL, _segment), __name__)
