"""Transforms: what happens to dense weights before they are coded, one decoder layer at a time."""

from harness.transforms.base import Source, Transform, TransformChoice, transform_from_json
from harness.transforms.fold import FoldScales
from harness.transforms.prune import PruneNeurons

__all__ = ["FoldScales", "PruneNeurons", "Source", "Transform", "TransformChoice", "transform_from_json"]
