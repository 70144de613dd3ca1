"""Segmenting: how recordings are cut into the stretches that are translated one by one."""

from harness.segment.settings import Segmenting
from harness.segment.verb import Segmented, coverage_of, segment, segment_with_findings

__all__ = ["Segmented", "Segmenting", "coverage_of", "segment", "segment_with_findings"]
