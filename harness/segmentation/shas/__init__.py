"""SHAS: speech frames from a classifier on wav2vec 2.0, cut into segments by pDAC or pSTRM.

Source: Tsiamas et al., "SHAS: Approaching optimal Segmentation for End-to-End Speech Translation", Interspeech 2022.
"""

from harness.segmentation.cut import segment_frames
from harness.segmentation.segmenter import SEGMENTERS, Basis, SegmentationRequest, SegmentationResult, Segmenter
from harness.segmentation.shas.frame_classifier import ShasFrameClassifier


def _segment(request: SegmentationRequest) -> SegmentationResult:
    return segment_frames(request, ShasFrameClassifier(request.settings.shas, request.device, request.workdir))


SEGMENTERS.add("shas", Segmenter(Basis.MODEL, _segment), __name__)
