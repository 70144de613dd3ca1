"""Int8: the row-wise absolute-maximum quantisation of bitsandbytes' 8-bit layers."""

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from harness.compression.codecs.base import Certainty, Codec, Parts, Size, dtype_of, register_codec
from harness.core.errors import UserError
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import torch

SCALES = ".SCB"
"""Suffix of the part with each row's absolute maximum; bitsandbytes' own name for it is SCB."""
BLOCK = 1 << 22
"""Elements per block."""


@register_codec
class Int8(Codec, frozen=True, tag="int8"):
    """One byte per weight and one float32 per row (Dettmers et al. 2022, LLM.int8(), without outliers).

    Parts of a weight W of shape (out_features, in_features), in bitsandbytes' row-major layout (`weight_format` 0):
    "" is W as int8, and ".SCB" the float32 absolute maximum of each row, shape (out_features,). They equal `weight`
    and `SCB` of a `Linear8bitLt` that has quantised the same weights.
    """

    libraries: ClassVar[tuple[str, ...]] = ("bitsandbytes", "torch")

    def encode(self, tensor: "torch.Tensor") -> Parts:
        """Quantise with bitsandbytes' own function, which converts the weights to float16.

        Raises:
            UserError: the tensor is not a matrix, or a weight is too large for float16.
        """
        import torch

        int8_vectorwise_quant = quiet_bitsandbytes().functional.int8_vectorwise_quant

        _refuse_shape(tuple(tensor.shape))
        codes = torch.empty(tensor.shape, dtype=torch.int8)
        scales = torch.empty(tensor.shape[0], dtype=torch.float32)
        rows = max(1, BLOCK // tensor.shape[1])
        for start in range(0, tensor.shape[0], rows):
            block = tensor[start : start + rows].detach().to("cpu", torch.float16).contiguous()
            codes[start : start + rows], scales[start : start + rows], _ = int8_vectorwise_quant(block)
        if not scales.isfinite().all():
            raise UserError("A weight is too large for float16, in which bitsandbytes quantises: use another codec.")
        # bitsandbytes computes 0 / 0 for a row of zeros; NaN converted to int8 depends on the processor.
        codes[scales == 0] = 0
        return {"": codes, SCALES: scales}

    def decode(self, parts: Parts, spec: TensorSpec) -> "torch.Tensor":
        """Dequantise as bitsandbytes does (code x absmax / 127 in float32), then convert to `spec.dtype`."""
        import torch

        int8_vectorwise_dequant = quiet_bitsandbytes().functional.int8_vectorwise_dequant

        dense = torch.empty(spec.shape, dtype=dtype_of(spec))
        rows = max(1, BLOCK // spec.shape[1])
        for start in range(0, spec.shape[0], rows):
            block = slice(start, start + rows)
            dense[block] = int8_vectorwise_dequant(parts[""][block], parts[SCALES][block])
        return dense

    def size(self, spec: TensorSpec) -> Size:
        """Return the exact size: one byte per weight and four per row.

        Raises:
            UserError: the tensor is not a matrix.
        """
        _refuse_shape(spec.shape)
        return Size(spec.numel + 4 * spec.shape[0], Certainty.EXACT)


def quiet_bitsandbytes() -> Any:
    """Import bitsandbytes with its warnings on the CPU silenced, and return the module.

    At import it warns that a 4-bit kernel is missing, which is not used here, and its 8-bit layers warn at every call
    that they convert their input to float16, as they always do.
    """
    for name in ("backends.cpu.ops", "autograd._functions"):
        logging.getLogger(f"bitsandbytes.{name}").setLevel(logging.ERROR)
    import bitsandbytes

    return bitsandbytes


def _refuse_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or 0 in shape:
        raise UserError(f"Int8 stores matrices, not a tensor of shape {shape}: select linear weights in the recipe.")
