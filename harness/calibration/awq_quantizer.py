"""autoawq's scale search with the codecs of a recipe in place of its own quantiser."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import TYPE_CHECKING, Any

from harness.compression.codecs.base import Codec
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_TOKENS = 8192
"""Tokens per step, so that the intermediate values of a small MLP stay in the processor's cache."""


@contextmanager
def copied_state(module: "torch.nn.Module") -> Iterator[None]:
    """Make a module's `state_dict` return copies inside the block.

    autoawq saves the weights that it scales with `tensor.cpu()`, which on the CPU returns the weight itself: without
    copies each trial would start from the weights of the previous one.
    """
    shared = module.state_dict
    module.state_dict = lambda: {name: tensor.clone() for name, tensor in shared().items()}  # type: ignore[assignment]
    try:
        yield
    finally:
        del module.state_dict


@dataclass(frozen=True)
class LayerInputs:
    """The inputs of a decoder layer for one batch, padded on the right, and the layer's other arguments.

    States have the shape (sentences, tokens, hidden); `real`, shape (sentences, tokens), is False at padding.
    """

    state: "Tensor"
    real: "Tensor"
    arguments: dict[str, Any]

    @cached_property
    def places(self) -> "Tensor":
        """Indices of real tokens in the flattened batch, shape (real tokens,)."""
        return self.real.flatten().nonzero().squeeze(1)

    def padded(self, tokens: "Tensor") -> "Tensor":
        """Return real tokens, shape (real tokens, channels), as sentences, shape (sentences, tokens, channels)."""
        filled = tokens.new_zeros(self.real.numel(), tokens.shape[-1])
        filled[self.places] = tokens
        return filled.view(*self.real.shape, -1)

    def attend(self, attention: Any, sentences: "Tensor") -> "Tensor":
        """Return the attention's output at real tokens, shape (real tokens, channels)."""
        # torch's own attention is causal without a mask and then faster; no real token follows padding. Other
        # implementations, and sliding windows, need the mask.
        unmasked = attention.config._attn_implementation == "sdpa" and attention.sliding_window is None  # noqa: SLF001
        mask = {"attention_mask": None} if unmasked else {}
        output = attention(hidden_states=sentences, **{**self.arguments, **mask})
        states: Tensor = output[0] if isinstance(output, tuple) else output
        return states.flatten(0, 1)[self.places]


class Codecs:
    """The codecs of linear layers by module, given codecs by canonical name, and canonical names by the module's id."""

    def __init__(self, codecs: Mapping[str, Codec], names: Mapping[int, str]) -> None:
        self._codecs, self._names = codecs, names

    def of(self, module: Any) -> Codec:
        """Return the codec of a module's weight."""
        return self._codecs[self._names[id(module)]]


def scale_search(layer: Any, batches: Sequence[LayerInputs], codecs: Codecs) -> Any:
    """Return a scale search for one decoder layer: an instance of a subclass of autoawq's `AwqQuantizer`."""
    return type("ScaleSearch", (CodecSearch, import_quantizer()), {})(layer, batches, codecs)


def import_quantizer() -> Any:
    """Import autoawq, and return its class `AwqQuantizer`."""
    import transformers.activations

    if not hasattr(transformers.activations, "PytorchGELUTanh"):
        # transformers 4.57 renamed it after the last release of autoawq, which imports it but does not use it here.
        transformers.activations.PytorchGELUTanh = transformers.activations.GELUTanh
    # autoawq resets the filters and warns at import that it is deprecated; torch.jit warns as well.
    with warnings.catch_warnings(record=True):
        from awq.quantize.quantizer import AwqQuantizer
    return AwqQuantizer


class CodecSearch:
    """The methods that replace those of `AwqQuantizer`.

    Outputs are compared in pieces that fit into the processor's cache. To autoawq, the output of a module is one
    number: the root mean square of the difference from the outputs of the first call.
    """

    def __init__(self, layer: Any, batches: Sequence[LayerInputs], codecs: Codecs) -> None:
        # The constructor of the base class loads a text corpus; the search reads only the attributes set here.
        self.layer, self._batches, self._codecs = layer, batches, codecs
        self.duo_scaling, self.max_chunk_memory = True, 1 << 30
        self.group_size = 0
        self.errors: list[float] = []
        self._turn: Iterator[Codec] = iter(())
        self._outputs: Callable[[], Iterator[Tensor]] = lambda: iter(())
        self._expected: list[Tensor] = []

    def _search_best_scale(self, module: Any, prev_op: Any, layers: list[Any], inp: Any, inspected: Any) -> Any:
        import torch

        self._turn = cycle([self._codecs.of(each) for each in layers])
        sizes = {getattr(self._codecs.of(each), "group_size", 0) for each in layers}
        row = layers[0].weight.shape[1]
        fitting = [size for size in sizes if size and row % size == 0]
        self.group_size = min(fitting) if fitting else row
        self.errors, self._expected = [], []
        with torch.no_grad(), copied_state(inspected):
            self._outputs = _outputs_of(self.layer, self._batches, inspected, inp)
            return super()._search_best_scale(module, prev_op, layers, inp, inspected, {})  # type: ignore[misc]

    def pseudo_quantize_tensor(self, w: "Tensor") -> "tuple[Tensor, None, None]":
        """Return a weight after encoding and decoding; the search passes the readers in turn."""
        return round_trip(next(self._turn), w), None, None

    def _module_forward(self, *_: Any) -> "Tensor":
        """Return the root mean square of the output's change, shape (1,); the first call stores the outputs."""
        import torch

        with torch.no_grad():
            if not self._expected:
                self._expected = list(self._outputs())
                return torch.zeros(1)
            total, count = 0.0, 0
            for found, expected in zip(self._outputs(), self._expected, strict=True):
                total += float((found - expected).float().square_().sum())
                count += expected.numel()
            return torch.tensor([math.sqrt(total / count)])

    def _compute_loss(self, fp16_output: "Tensor", int_w_output: "Tensor", device: Any) -> float:
        loss = float(super()._compute_loss(fp16_output, int_w_output, device))  # type: ignore[misc]
        self.errors.append(loss)
        return loss

    def plain_error(self, readers: list[Any]) -> float:
        """Return the mean squared output error of the codecs without scales, for the fold searched last."""
        kept = [reader.weight.data for reader in readers]
        for reader in readers:
            reader.weight.data = round_trip(self._codecs.of(reader), reader.weight.data)
        error = float(self._module_forward()) ** 2
        for reader, data in zip(readers, kept, strict=True):
            reader.weight.data = data
        return error


def _outputs_of(
    layer: Any, batches: Sequence[LayerInputs], inspected: Any, inputs: "Tensor"
) -> "Callable[[], Iterator[Tensor]]":
    """Return a function that computes a module's outputs with its current weights, in pieces.

    The inputs of a single linear layer are replaced by their root, which gives the same errors in less work. The
    attention reads sentences, all other modules single tokens.
    """
    import torch

    if inspected is layer.self_attn:
        counts = [len(batch.places) for batch in batches]
        parts = [batch.padded(part) for batch, part in zip(batches, torch.split(inputs, counts), strict=True)]
        return lambda: (batch.attend(inspected, part) for batch, part in zip(batches, parts, strict=True))
    tokens = root(inputs) if isinstance(inspected, torch.nn.Linear) else inputs
    return lambda: (inspected(part) for part in torch.split(tokens, _TOKENS))


def root(inputs: "Tensor") -> "Tensor":
    """Return a matrix R of r = min(n, c) rows with R'R = X'X r / n, for inputs X of n tokens and c channels.

    For every change D of a linear layer's weight, the mean square of R D' equals that of X D' up to rounding, because
    the sum of squares of X D' is the trace of D X'X D'. R is the triangular factor of X, computed in pieces.
    """
    import torch

    channels = inputs.shape[1]
    factor: Tensor = torch.zeros(0, channels, device=inputs.device)
    for part in torch.split(inputs, max(_TOKENS, 2 * channels)):
        factor = torch.linalg.qr(torch.cat((factor, part.float())), mode="r").R
    scaled: Tensor = factor * math.sqrt(len(factor) / len(inputs))
    return scaled.to(inputs.dtype)


def round_trip(codec: Codec, weight: "Tensor") -> "Tensor":
    """Return a weight after encoding and decoding, in its own type and on its own device."""
    spec = TensorSpec("weight", tuple(weight.shape), str(weight.dtype).removeprefix("torch."))
    return codec.decode(codec.encode(weight), spec).to(weight.device)
