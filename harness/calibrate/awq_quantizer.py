"""autoawq's quantiser, sub-classed; importing this module imports autoawq, of which nothing else is used."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
import transformers.activations
from torch import Tensor

from harness.codecs.base import Codec
from harness.tensor import TensorSpec

if not hasattr(transformers.activations, "PytorchGELUTanh"):
    # Renamed in transformers 4.57, after the last release of autoawq, which imports it and does not need it here.
    transformers.activations.PytorchGELUTanh = transformers.activations.GELUTanh
with warnings.catch_warnings(record=True):  # a farewell message, shown whatever the filters say, and torch.jit's
    from awq.quantize.quantizer import AwqQuantizer


__all__ = ["AwqQuantizer", "Batch", "Codecs", "ScaleSearch", "own_state", "root", "round_trip"]

_TOKENS = 8192
"""Tokens that an MLP reads at a time: its intermediate values stay in the processor's cache."""


@contextmanager
def own_state(module: torch.nn.Module) -> Iterator[None]:
    """Let a module's `state_dict` be a copy inside the block.

    autoawq keeps the weights that it tries scales on by `tensor.cpu()`, which on the CPU is the weight itself: each
    trial would then begin where the one before it ended.
    """
    shared = module.state_dict
    module.state_dict = lambda: {name: tensor.clone() for name, tensor in shared().items()}  # type: ignore[assignment]
    try:
        yield
    finally:
        del module.state_dict


@dataclass(frozen=True)
class Batch:
    """One batch in front of a decoder layer.

    Attributes:
        state: hidden states, shape (sentences, tokens, hidden).
        real: bool, shape (sentences, tokens); False at padding.
        arguments: of the layer.
    """

    state: Tensor
    real: Tensor
    arguments: dict[str, Any]


class Codecs:
    """The codec of a linear layer, by the module itself."""

    def __init__(self, codecs: Mapping[str, Codec], names: Mapping[int, str]) -> None:
        self._codecs, self._names = codecs, names

    def of(self, module: Any) -> Codec:
        """Return the codec that will store a module's weight."""
        return self._codecs[self._names[id(module)]]


class ScaleSearch(AwqQuantizer):  # type: ignore[misc]  # autoawq has no types
    """Searches with codecs; real tokens lie flat, and only attention sees them as sentences."""

    def __init__(self, layer: Any, batches: Sequence[Batch], codecs: Codecs) -> None:
        # The original's constructor loads a text corpus; what its search reads is set here instead.
        self.layer, self._batches, self._codecs = layer, batches, codecs
        self.duo_scaling, self.max_chunk_memory = True, 1 << 30
        self.group_size = 0
        self.errors: list[float] = []
        self._turn: Iterator[Codec] = iter(())

    def _search_best_scale(self, module: Any, prev_op: Any, layers: list[Any], *rest: Any) -> Any:
        self._turn = cycle([self._codecs.of(each) for each in layers])
        sizes = {getattr(self._codecs.of(each), "group_size", 0) for each in layers}
        row = layers[0].weight.shape[1]
        fitting = [size for size in sizes if size and row % size == 0]
        self.group_size = min(fitting) if fitting else row
        return super()._search_best_scale(module, prev_op, layers, *rest)

    def _compute_best_scale(
        self, x: Tensor, w_mean: Tensor, x_mean: Tensor, inspected: Any, readers: list[Any], wanted: Tensor, *rest: Any
    ) -> Any:
        """Let a single linear layer be compared on the root of its inputs, which gives the same errors in less work."""
        if isinstance(inspected, torch.nn.Linear):
            x = root(x)
            wanted = inspected(x)
        with own_state(inspected):
            return super()._compute_best_scale(x, w_mean, x_mean, inspected, readers, wanted, *rest)

    def pseudo_quantize_tensor(self, w: Tensor) -> tuple[Tensor, None, None]:
        """Return the weight as the codec gives it back; the readers come in turn, as the search goes through them."""
        return round_trip(next(self._turn), w), None, None

    def _sanitize_kwargs(self, inputs_kwargs: dict[str, Any], module: Any) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def _module_forward(self, x: Tensor, module: Any, module_kwargs: dict[str, Any]) -> Tensor:  # noqa: ARG002
        if module is not self.layer.self_attn:
            return torch.cat([module(part) for part in torch.split(x, _TOKENS)])
        return torch.cat([self._attend(module, part, batch) for part, batch in self._parts(x)])

    def _parts(self, x: Tensor) -> list[tuple[Tensor, Batch]]:
        counts = [int(batch.real.sum()) for batch in self._batches]
        return list(zip(torch.split(x, counts), self._batches, strict=True))

    def _attend(self, module: Any, tokens: Tensor, batch: Batch) -> Tensor:
        padded = torch.zeros(*batch.real.shape, tokens.shape[-1], dtype=tokens.dtype, device=tokens.device)
        padded[batch.real] = tokens
        output = module(hidden_states=padded, **batch.arguments)
        kept: Tensor = (output[0] if isinstance(output, tuple) else output)[batch.real]
        return kept

    def _compute_loss(self, fp16_output: Tensor, int_w_output: Tensor, device: Any) -> float:
        loss = float(super()._compute_loss(fp16_output, int_w_output, device))
        self.errors.append(loss)
        return loss

    @torch.no_grad()
    def plain_error(self, features: Tensor, readers: list[Any], inspected: Any) -> float:
        """Mean squared output error of the codecs without scales."""
        features = root(features) if isinstance(inspected, torch.nn.Linear) else features
        wanted = self._module_forward(features, inspected, {})
        kept = [reader.weight.data for reader in readers]
        for reader in readers:
            reader.weight.data = round_trip(self._codecs.of(reader), reader.weight.data)
        error = float((self._module_forward(features, inspected, {}) - wanted).float().pow(2).mean())
        for reader, data in zip(readers, kept, strict=True):
            reader.weight.data = data
        return error


def root(inputs: Tensor) -> Tensor:
    """Return a matrix R of as many rows as channels with R'R = X'X c / n, in the inputs' type.

    For every change D of a linear layer's weight, the mean square of R D' is then that of X D', up to rounding: the
    square sum of X D' is the trace of D X'X D'. R is the triangular factor of X, found piece by piece.

    Args:
        inputs: X, shape (n tokens, c channels).
    """
    channels = inputs.shape[1]
    factor: Tensor = torch.zeros(0, channels, device=inputs.device)
    for part in torch.split(inputs, max(_TOKENS, 2 * channels)):
        factor = torch.linalg.qr(torch.cat((factor, part.float())), mode="r").R
    scaled: Tensor = factor * math.sqrt(len(factor) / len(inputs))
    return scaled.to(inputs.dtype)


def round_trip(codec: Codec, weight: Tensor) -> Tensor:
    """Return a weight as it comes back from its codec, in its own type and on its own device."""
    spec = TensorSpec("weight", tuple(weight.shape), str(weight.dtype).removeprefix("torch."))
    return codec.decode(codec.encode(weight), spec).to(weight.device)
