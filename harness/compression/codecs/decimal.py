"""Decimal: rounding to decimal places, then Zstandard, both by numcodecs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from harness.compression.codecs.base import Certainty, Codec, Parts, Size, dtype_of, register_codec
from harness.core.errors import UserError
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import torch

FRAME = 1 << 26
"""Most weights in one Zstandard frame. All matrices of Qwen2-Audio-7B except embedding and head fit into one."""
BLOCK = 1 << 20
"""Weights that are rounded in one step."""
PAYLOAD = ".zstd"
ENDS = ".ends"


@register_codec
class Decimal(Codec, frozen=True, tag="decimal"):
    """numcodecs' `Quantize(digits=places, dtype="f4", astype="f2")`, then its `Zstd(level)`.

    numcodecs' "digits" are decimal places, not significant digits: values become multiples of
    2^-ceil(log2(10^places)), which is 1/128 for 2 places and 1/1024 for 3, stored as float16. The parts are the
    concatenated Zstandard frames as uint8 (`.zstd`) and the end of each frame in them as int64 (`.ends`).

    Attributes:
        places: decimal places, 0 to 8; float16 cannot represent smaller steps.
        level: Zstandard level, 1 to 22.
    """

    libraries: ClassVar[tuple[str, ...]] = ("numcodecs", "numpy")

    places: int
    level: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.places <= 8:
            raise UserError(f"Decimal cannot round to {self.places} places: choose 0 to 8.")
        if not 1 <= self.level <= 22:
            raise UserError(f"Zstandard has no level {self.level}: choose 1 to 22.")

    def encode(self, tensor: "torch.Tensor") -> Parts:
        """Round in blocks, and compress in frames.

        Raises:
            UserError: a rounded weight is too large for float16.
        """
        import numpy as np
        import torch
        from numcodecs import Zstd

        payload = np.empty(_bound(tensor.numel()), np.uint8)
        ends = [0]
        for values in self._rounded(tensor):
            frame = Zstd(level=self.level).encode(values)
            payload[ends[-1] : ends[-1] + len(frame)] = np.frombuffer(frame, np.uint8)
            ends.append(ends[-1] + len(frame))
        # Releases the unused end without a copy; nothing else refers to the array yet.
        payload.resize(ends[-1], refcheck=False)
        return {PAYLOAD: torch.from_numpy(payload), ENDS: torch.tensor(ends[1:], dtype=torch.int64)}

    def decode(self, parts: Parts, spec: TensorSpec) -> "torch.Tensor":
        """Decompress frame by frame, and convert the float16 values to `spec.dtype`."""
        import numpy as np
        import torch
        from numcodecs import Zstd

        dense = torch.empty(spec.numel, dtype=dtype_of(spec))
        payload = parts[PAYLOAD].numpy()
        start = 0
        for index, end in enumerate(parts[ENDS].tolist()):
            values = np.frombuffer(Zstd(level=self.level).decode(payload[start:end]), np.float16)
            dense[index * FRAME : (index + 1) * FRAME] = torch.from_numpy(values.copy())
            start = end
        return dense.reshape(spec.shape)

    def size(self, spec: TensorSpec) -> Size:
        """Return an upper bound: Zstandard's worst case for the float16 values, and eight bytes per frame."""
        return Size(_bound(spec.numel) + 8 * -(-spec.numel // FRAME), Certainty.BOUND)

    def _rounded(self, tensor: "torch.Tensor") -> "Iterator[np.ndarray[Any, np.dtype[np.float16]]]":
        """Yield the rounded float16 values of one frame after the other."""
        import numpy as np
        from numcodecs import Quantize

        quantize = Quantize(digits=self.places, dtype="f4", astype="f2")
        flat = tensor.detach().cpu().reshape(-1)
        for start in range(0, flat.numel(), FRAME):
            frame = flat[start : start + FRAME]
            values = np.empty(frame.numel(), np.float16)
            for at in range(0, frame.numel(), BLOCK):
                with np.errstate(over="ignore"):  # an overflow is reported as a UserError below
                    values[at : at + BLOCK] = quantize.encode(frame[at : at + BLOCK].float().numpy())
                if not np.isfinite(values[at : at + BLOCK]).all():
                    raise UserError(
                        "A weight is too large for float16, in which Decimal stores values: use another codec."
                    )
            yield values


def _bound(weights: int) -> int:
    """Return the bytes of the largest frames of so many float16 weights: the sum of zstd.h's `ZSTD_COMPRESSBOUND`."""
    sizes = (2 * min(FRAME, weights - start) for start in range(0, weights, FRAME))
    return sum(size + (size >> 8) + (max(0, (128 << 10) - size) >> 11) for size in sizes)
