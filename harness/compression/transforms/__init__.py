"""Transforms: changes to the dense weights before encoding, one decoder layer at a time."""

from harness.compression.transforms.base import Transform, TransformChoice, WeightSource, transform_from_json
from harness.compression.transforms.fold import FoldScales
from harness.compression.transforms.prune import PruneNeurons

__all__ = ["FoldScales", "PruneNeurons", "Transform", "TransformChoice", "WeightSource", "transform_from_json"]
