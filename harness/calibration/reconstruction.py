"""Reconstruction error: the distance of each decoder layer's output from the uncompressed model's, for equal inputs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from harness.calibration.prefix import Prefix, decoder_of, run_layer
from harness.inference.engine import Engine
from harness.inference.prompting import Example, right_padded

if TYPE_CHECKING:
    from torch import Tensor


class LayerError(msgspec.Struct, frozen=True):
    """The reconstruction error of one decoder layer.

    Attributes:
        layer: index of the layer.
        relative: squared error of the layer's output over the squared change that the layer makes to its input, both
            summed over real tokens; 0 means no error, 1 an error as large as without the layer.
    """

    layer: int
    relative: float


def reconstruction_errors(
    dense: Engine, compressed: Engine, batches: Sequence[Sequence[Example]]
) -> tuple[LayerError, ...]:
    """Return the error of every layer, computed on the inputs of the uncompressed model.

    Args:
        dense: the uncompressed model.
        compressed: a model with as many decoder layers.
        batches: sentences that were not used for calibration.
    """
    import torch

    prefix = Prefix(dense, batches, lambda _count: None)
    real = [right_padded(dense, batch).attention_mask.bool() for batch in batches]
    found = []
    with torch.inference_mode():
        for index, layer in enumerate(decoder_of(compressed.model).layers):
            before = prefix.captured()
            outputs = [run_layer(layer, state, arguments) for state, arguments in before]
            prefix.move_on()
            expected = [state for state, _ in prefix.captured()]
            error = sum(_squares(a - b, mask) for a, b, mask in zip(outputs, expected, real, strict=True))
            change = sum(_squares(b - s, mask) for (s, _), b, mask in zip(before, expected, real, strict=True))
            found.append(LayerError(index, error / change))
    return tuple(found)


def _squares(difference: "Tensor", real: "Tensor") -> float:
    return float(difference[real].double().pow(2).sum())
