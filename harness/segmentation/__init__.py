"""Segmenting: how recordings are cut into the stretches that are translated one by one."""

from harness.config.segmentation import Segmenting
from harness.segmentation.segmenter import Segmented, coverage_of, segment, segment_with_findings

__all__ = ["Segmented", "Segmenting", "coverage_of", "segment", "segment_with_findings"]
