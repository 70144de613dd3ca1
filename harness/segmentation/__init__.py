"""Segmenting: how recordings are cut into the stretches that are translated one by one."""

from harness.config.segmentation import Segmenting
from harness.segmentation.segmenter import SegmentationResult, coverage_of, segment, segment_with_findings

__all__ = ["SegmentationResult", "Segmenting", "coverage_of", "segment", "segment_with_findings"]
