"""Neuron pruning: neurons of each MLP are removed from the weights (selected-layer codec paper, structural pruning)."""

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.compression.transforms.base import Transform, WeightSource, register_transform
from harness.core.errors import UserError
from harness.models.tensor_spec import Component, TensorSpec

if TYPE_CHECKING:
    import torch

_GATE, _UP, _DOWN = ".mlp.gate_proj.weight", ".mlp.up_proj.weight", ".mlp.down_proj.weight"


@register_transform
class PruneNeurons(Transform, frozen=True, tag="prune-neurons"):
    """Remove the least important neurons of every decoder layer's MLP.

    A neuron is a row of gate and up and the column of down that reads it; its importance is the mean magnitude of the
    gate row, plus that of the up row, plus that of the down column. The `kept` most important neurons remain, in their
    original order, so that every layer has the same smaller width. Of equally important neurons the later ones are
    removed first.

    Attributes:
        fraction: fraction of the neurons to remove, at least 0 and below 1; their number is rounded down.
    """

    fraction: float

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise UserError(
                f"{self.fraction} is not a valid fraction of neurons to remove: choose at least 0 and below 1."
            )

    def kept(self, neurons: int) -> int:
        """Return the number of neurons that remain of `neurons`."""
        return neurons - int(neurons * self.fraction)

    def changes(self, tensor: TensorSpec) -> bool:
        """Whether the tensor is an MLP projection."""
        return tensor.component is Component.MLP

    def spec(self, tensor: TensorSpec) -> TensorSpec:
        """Return the spec with fewer neurons: gate and up are (neurons, hidden), down is (hidden, neurons)."""
        rows, columns = tensor.shape
        shape = (rows, self.kept(columns)) if tensor.name.endswith(_DOWN) else (self.kept(rows), columns)
        return msgspec.structs.replace(tensor, shape=shape)

    def tensor(self, spec: TensorSpec, source: WeightSource, files: Path) -> "torch.Tensor":  # noqa: ARG002 - no measurement
        """Return the rows that remain, or for down the columns."""
        stay = _NEURON_CACHE.neurons(self, source, spec.name[: spec.name.index(".mlp.")])
        weight = source.tensor(spec.name)
        return (weight[:, stay] if spec.name.endswith(_DOWN) else weight[stay]).contiguous()

    def config(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return the configuration with the smaller MLP width.

        Raises:
            UserError: the configuration has no MLP width.
        """
        text = value.get("text_config")
        if not isinstance(text, dict) or not isinstance(text.get("intermediate_size"), int):
            raise UserError(
                "The checkpoint's config.json has no intermediate_size: restore the file from the model's repository."
            )
        return {**value, "text_config": {**text, "intermediate_size": self.kept(text["intermediate_size"])}}


def importance(gate: "torch.Tensor", up: "torch.Tensor", down: "torch.Tensor") -> "torch.Tensor":
    """Return mean|gate row| + mean|up row| + mean|down column| per neuron, float32, shape (neurons,).

    Gate and up have the shape (neurons, hidden), down has the shape (hidden, neurons). Source: selected-layer codec
    paper, the row "prune" of its table 1.
    """
    # One float32 copy at a time: at 7B each takes 180 MB.
    return gate.float().abs().mean(dim=1) + up.float().abs().mean(dim=1) + down.float().abs().mean(dim=0)


def important_neurons(weights: "torch.Tensor", count: int) -> "torch.Tensor":
    """Return the indices of the `count` largest values in ascending order; of equal values the earlier ones."""
    import torch

    order = torch.sort(weights, descending=True, stable=True).indices
    return torch.sort(order[:count]).values


class _NeuronCache:
    """Remaining neurons of the layers used last: the three projections of a layer need the same ones."""

    def __init__(self, layers: int) -> None:
        self._layers = layers
        self._known: OrderedDict[tuple[int, PruneNeurons, str], tuple[WeightSource, torch.Tensor]] = OrderedDict()

    def neurons(self, transform: PruneNeurons, source: WeightSource, layer: str) -> "torch.Tensor":
        key = (id(source), transform, layer)
        if key not in self._known:
            gate, up, down = (source.tensor(layer + name) for name in (_GATE, _UP, _DOWN))
            stay = important_neurons(importance(gate, up, down), transform.kept(gate.shape[0]))
            # Holding the source keeps Python from reusing its id for another source.
            self._known[key] = (source, stay)
        while len(self._known) > self._layers:
            self._known.popitem(last=False)
        return self._known[key][1]


_NEURON_CACHE = _NeuronCache(layers=2)
