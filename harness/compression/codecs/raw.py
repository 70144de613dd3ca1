"""Raw: the tensor itself, 16 bit."""

from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from harness.compression.codecs.base import Certainty, Codec, Parts, Size, dtype_of, register_codec
from harness.core.errors import UserError
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import torch

Precision = Literal["stored", "float16", "bfloat16"]


@register_codec
class Raw(Codec, frozen=True, tag="raw"):
    """The dense tensor as one part under its own name.

    Attributes:
        dtype: `float16` and `bfloat16` convert; `stored` keeps what the checkpoint has, except that float32 and
            float64 become float16, because a 16-bit system ships 16 bits.
    """

    dtype: Precision = "stored"

    def __post_init__(self) -> None:
        if self.dtype not in get_args(Precision):
            raise UserError(f"Raw cannot store as {self.dtype!r}: choose one of {', '.join(get_args(Precision))}.")

    def encode(self, tensor: "torch.Tensor") -> Parts:
        """Convert to the stored type.

        Raises:
            UserError: a value is too large for that type.
        """
        import torch

        source = str(tensor.dtype).removeprefix("torch.")
        cast = tensor.detach().cpu().to(getattr(torch, self._stored(source))).contiguous()
        if cast.dtype != tensor.dtype and cast.numel() and not _finite(cast):
            raise UserError(
                f"A weight is not finite in {self._stored(source)}, whose largest value is "
                f"{torch.finfo(cast.dtype).max:g}: store this tensor with Raw('bfloat16')."
            )
        return {"": cast}

    def decode(self, parts: Parts, spec: TensorSpec) -> "torch.Tensor":
        """Convert back to `spec.dtype`."""
        return parts[""].to(dtype_of(spec)).reshape(spec.shape)

    def size(self, spec: TensorSpec) -> Size:
        """Exact: elements times bytes of the stored type."""
        return Size(msgspec.structs.replace(spec, dtype=self._stored(spec.dtype)).nbytes, Certainty.EXACT)

    def _stored(self, source: str) -> str:
        if self.dtype != "stored":
            return self.dtype
        return "float16" if source in {"float32", "float64"} else source


def _finite(tensor: "torch.Tensor") -> bool:
    """Whether all values are finite, without a temporary as large as the tensor."""
    low, high = tensor.aminmax()
    return bool(low.isfinite() and high.isfinite())
