"""Segmentation: how recordings are divided into the segments that are translated one by one."""

from harness.config.segmentation import Segmenting
from harness.segmentation.segment import coverage_of, segment, segment_with_findings
from harness.segmentation.segmenter import SegmentationResult, check_methods, segmenter_names

__all__ = [
    "SegmentationResult",
    "Segmenting",
    "check_methods",
    "coverage_of",
    "segment",
    "segment_with_findings",
    "segmenter_names",
]
