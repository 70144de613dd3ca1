"""Raw: the dense tensor, stored with 16 bits per weight."""

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
        dtype: type of the stored part. `stored` keeps the checkpoint's type, but converts float32 and float64 to
            float16, because a 16-bit system ships 16 bits per weight.
    """

    dtype: Precision = "stored"

    def __post_init__(self) -> None:
        if self.dtype not in get_args(Precision):
            raise UserError(f"Raw cannot store as {self.dtype!r}: choose one of {', '.join(get_args(Precision))}.")

    def encode(self, tensor: "torch.Tensor") -> Parts:
        """Convert the tensor to the stored type.

        Raises:
            UserError: a value is not finite in that type.
        """
        import torch

        source = str(tensor.dtype).removeprefix("torch.")
        cast = tensor.detach().cpu().to(getattr(torch, self._stored(source))).contiguous()
        if cast.dtype != tensor.dtype and cast.numel() and not _finite(cast):
            raise UserError(
                f"A weight exceeds the largest value of {self._stored(source)}, "
                f"{torch.finfo(cast.dtype).max:g}: store this tensor with Raw('bfloat16')."
            )
        return {"": cast}

    def decode(self, parts: Parts, spec: TensorSpec) -> "torch.Tensor":
        """Convert the part to `spec.dtype`."""
        return parts[""].to(dtype_of(spec)).reshape(spec.shape)

    def size(self, spec: TensorSpec) -> Size:
        """Return the exact size: elements times bytes of the stored type."""
        return Size(msgspec.structs.replace(spec, dtype=self._stored(spec.dtype)).nbytes, Certainty.EXACT)

    def _stored(self, source: str) -> str:
        if self.dtype != "stored":
            return self.dtype
        return "float16" if source in {"float32", "float64"} else source


def _finite(tensor: "torch.Tensor") -> bool:
    """Whether all values are finite."""
    # isfinite() of the whole tensor would allocate a mask as large as its elements; NaN propagates through aminmax.
    low, high = tensor.aminmax()
    return bool(low.isfinite() and high.isfinite())
