"""autoawq's quantiser, sub-classed; importing this module imports autoawq, of which nothing else is used."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import Any

import torch
import transformers.activations
from torch import Tensor

from harness.compression.codecs.base import Codec
from harness.models.tensor_spec import TensorSpec

if not hasattr(transformers.activations, "PytorchGELUTanh"):
    # Renamed in transformers 4.57, after the last release of autoawq, which imports it and does not need it here.
    transformers.activations.PytorchGELUTanh = transformers.activations.GELUTanh
with warnings.catch_warnings(record=True):  # a farewell message, shown whatever the filters say, and torch.jit's
    from awq.quantize.quantizer import AwqQuantizer


__all__ = ["AwqQuantizer", "Codecs", "LayerInputs", "ScaleSearch", "own_state", "root", "round_trip"]

_TOKENS = 8192
"""Tokens that are read at a time; a small MLP's intermediate values then stay in the processor's cache."""


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
class LayerInputs:
    """One batch in front of a decoder layer, filled up on the right.

    Attributes:
        state: hidden states, shape (sentences, tokens, hidden).
        real: bool, shape (sentences, tokens); False at padding.
        arguments: of the layer.
    """

    state: Tensor
    real: Tensor
    arguments: dict[str, Any]

    @cached_property
    def places(self) -> Tensor:
        """Where real tokens lie when sentences lie end to end, shape (real tokens,)."""
        return self.real.flatten().nonzero().squeeze(1)

    def padded(self, tokens: Tensor) -> Tensor:
        """Return real tokens, shape (real tokens, channels), as sentences, shape (sentences, tokens, channels)."""
        filled = tokens.new_zeros(self.real.numel(), tokens.shape[-1])
        filled[self.places] = tokens
        return filled.view(*self.real.shape, -1)

    def attend(self, attention: Any, sentences: Tensor) -> Tensor:
        """Return attention's output at real tokens, shape (real tokens, channels).

        Without a mask torch's own attention is causal, which is enough: no real token stands behind padding. Other
        implementations, and windows, need the mask.
        """
        needless = attention.config._attn_implementation == "sdpa" and attention.sliding_window is None  # noqa: SLF001
        mask = {"attention_mask": None} if needless else {}
        output = attention(hidden_states=sentences, **{**self.arguments, **mask})
        every: Tensor = output[0] if isinstance(output, tuple) else output
        return every.flatten(0, 1)[self.places]


class Codecs:
    """The codec of a linear layer, by the module itself."""

    def __init__(self, codecs: Mapping[str, Codec], names: Mapping[int, str]) -> None:
        self._codecs, self._names = codecs, names

    def of(self, module: Any) -> Codec:
        """Return the codec that will store a module's weight."""
        return self._codecs[self._names[id(module)]]


class ScaleSearch(AwqQuantizer):  # type: ignore[misc]  # autoawq has no types
    """Searches with codecs.

    Outputs are compared piece by piece, while they are in the processor's cache: what autoawq takes for a module's
    output is one number, the root mean square of what changed since the module was first asked.
    """

    def __init__(self, layer: Any, batches: Sequence[LayerInputs], codecs: Codecs) -> None:
        # The original's constructor loads a text corpus; what its search reads is set here instead.
        self.layer, self._batches, self._codecs = layer, batches, codecs
        self.duo_scaling, self.max_chunk_memory = True, 1 << 30
        self.group_size = 0
        self.errors: list[float] = []
        self._turn: Iterator[Codec] = iter(())
        self._outputs: Callable[[], Iterator[Tensor]] = lambda: iter(())
        self._wanted: list[Tensor] = []

    def _search_best_scale(self, module: Any, prev_op: Any, layers: list[Any], inp: Tensor, inspected: Any) -> Any:
        self._turn = cycle([self._codecs.of(each) for each in layers])
        sizes = {getattr(self._codecs.of(each), "group_size", 0) for each in layers}
        row = layers[0].weight.shape[1]
        fitting = [size for size in sizes if size and row % size == 0]
        self.group_size = min(fitting) if fitting else row
        self.errors, self._wanted = [], []
        with torch.no_grad(), own_state(inspected):
            self._outputs = self._prepare(inspected, inp)
            return super()._search_best_scale(module, prev_op, layers, inp, inspected, {})

    def _prepare(self, inspected: Any, inputs: Tensor) -> Callable[[], Iterator[Tensor]]:
        """Return what computes a module's outputs with the weights that it has then, piece by piece.

        A single linear layer is compared on the root of its inputs, which gives the same errors in less work; attention
        reads sentences, everything else tokens as they lie.
        """
        if inspected is self.layer.self_attn:
            counts = [len(batch.places) for batch in self._batches]
            parts = [batch.padded(part) for batch, part in zip(self._batches, torch.split(inputs, counts), strict=True)]
            return lambda: (batch.attend(inspected, part) for batch, part in zip(self._batches, parts, strict=True))
        tokens = root(inputs) if isinstance(inspected, torch.nn.Linear) else inputs
        return lambda: (inspected(part) for part in torch.split(tokens, _TOKENS))

    def pseudo_quantize_tensor(self, w: Tensor) -> tuple[Tensor, None, None]:
        """Return the weight as the codec gives it back; the readers come in turn, as the search goes through them."""
        return round_trip(next(self._turn), w), None, None

    @torch.no_grad()
    def _module_forward(self, *_: Any) -> Tensor:
        """Return the root mean square of what changed, shape (1,); when asked first, note what there is to change."""
        if not self._wanted:
            self._wanted = list(self._outputs())
            return torch.zeros(1)
        total, count = 0.0, 0
        for found, wanted in zip(self._outputs(), self._wanted, strict=True):
            total += float((found - wanted).float().square_().sum())
            count += wanted.numel()
        return torch.tensor([math.sqrt(total / count)])

    def _compute_loss(self, fp16_output: Tensor, int_w_output: Tensor, device: Any) -> float:
        loss = float(super()._compute_loss(fp16_output, int_w_output, device))
        self.errors.append(loss)
        return loss

    def plain_error(self, readers: list[Any]) -> float:
        """Mean squared output error of the codecs without scales, on what was searched last."""
        kept = [reader.weight.data for reader in readers]
        for reader in readers:
            reader.weight.data = round_trip(self._codecs.of(reader), reader.weight.data)
        error = float(self._module_forward()) ** 2
        for reader, data in zip(readers, kept, strict=True):
            reader.weight.data = data
        return error


def root(inputs: Tensor) -> Tensor:
    """Return a matrix R of r = min(n, c) rows with R'R = X'X r / n, in the inputs' type.

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
