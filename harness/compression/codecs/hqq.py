"""Hqq: half-quadratic quantisation in groups (Badri and Shaji 2023), bit-identical to the library hqq."""

from typing import TYPE_CHECKING, ClassVar

import msgspec

from harness.compression.codecs.base import Certainty, Codec, Parts, Size, dtype_of, register_codec
from harness.compression.codecs.hqq_solver import Groups, Solution, solve
from harness.core.errors import UserError
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import torch

CODES, SCALE, ZERO = ".codes", ".scale", ".zero"
SLOTS = {8: 1, 4: 2, 3: 10, 2: 4, 1: 8}
"""Codes per byte, at 3 bits per int32."""


@register_codec
class Hqq(Codec, frozen=True, tag="hqq"):
    """Codes of 1 to 8 bits with a float16 scale and zero point per group of consecutive weights of a row.

    The settings are those of `hqq_base_quant_config` and `HQQLinear` on the CPU (hqq 0.2.8): axis 1, float32 solver,
    initial zero point rounded at 4 bits only, metadata in float16. Parts: `.codes` of shape (packed groups,
    group_size), uint8, or int32 at 3 bits; `.scale` and `.zero` of shape (groups, 1). A byte holds the codes of groups
    that are `packed groups` apart, the first one in the high bits.

    Where hqq fails or drops groups, this codec pads: an incomplete last group with the last weight, and the packed
    groups with zero codes. A group is never larger than the tensor.

    Attributes:
        bits: 8, 4, 3, 2 or 1.
        group_size: weights per group.
    """

    libraries: ClassVar[tuple[str, ...]] = ("hqq", "torch")

    bits: int
    group_size: int = 64

    def __post_init__(self) -> None:
        if self.bits not in SLOTS:
            raise UserError(f"Hqq has no {self.bits}-bit packing: choose {', '.join(map(str, SLOTS))} bits.")
        if self.group_size < 1:
            raise UserError(f"Hqq cannot work in groups of {self.group_size} weights: choose at least 1, usually 64.")

    def encode(self, tensor: "torch.Tensor") -> Parts:
        """Quantise with hqq's solver, in blocks; the tensor may have any shape and floating-point type.

        Raises:
            UserError: the tensor is empty, or a scale or zero point does not fit into float16.
        """
        layout = self._layout(tensor.numel())
        solution = solve(Groups(tensor.detach().cpu().reshape(-1), layout.group_size), self.bits)
        return {
            CODES: _pack(solution, layout),
            SCALE: _half(1.0 / solution.inverse_scale, "scale"),
            ZERO: _half(solution.zero, "zero point"),
        }

    def decode(self, parts: Parts, spec: TensorSpec) -> "torch.Tensor":
        """Compute (code - zero) * scale in float16, the default of `HQQLinear.dequantize`, and convert."""
        import torch

        layout = self._layout(spec.numel)
        dense = torch.empty(spec.numel, dtype=dtype_of(spec))
        groups = Groups(dense, layout.group_size)
        for slot in range(layout.slots):
            first, last = layout.span(slot)
            for block in groups.blocks(first, last):
                packed = parts[CODES][block.start - first : block.stop - first]
                codes = (packed >> layout.shift(slot)).bitwise_and_(2**self.bits - 1).to(torch.float16)
                values = codes.sub_(parts[ZERO][block]).mul_(parts[SCALE][block]).reshape(-1)
                place = dense[block.start * layout.group_size : block.stop * layout.group_size]
                place.copy_(values[: place.numel()])
        return dense.reshape(spec.shape)

    def size(self, spec: TensorSpec) -> Size:
        """Return the exact size: the packed codes, and four bytes of metadata per group."""
        layout = self._layout(spec.numel)
        codes = layout.packed * layout.group_size * (4 if self.bits == 3 else 1)
        return Size(codes + 4 * layout.groups, Certainty.EXACT)

    def _layout(self, weights: int) -> "_Layout":
        if not weights:
            raise UserError("Hqq cannot quantise an empty tensor: leave it to Raw in the recipe.")
        group_size = min(self.group_size, weights)
        return _Layout(self.bits, group_size, -(-weights // group_size))


class _Layout(msgspec.Struct, frozen=True):
    """Position of each group's codes in the packed codes."""

    bits: int
    group_size: int
    groups: int

    @property
    def slots(self) -> int:
        return SLOTS[self.bits]

    @property
    def packed(self) -> int:
        """Rows of the packed codes."""
        return -(-self.groups // self.slots)

    def shift(self, slot: int) -> int:
        """Return the number of bits to the right of a slot; the first slot has the highest bits."""
        return self.bits * (self.slots - 1 - slot)

    def span(self, slot: int) -> tuple[int, int]:
        """Return the first group of a slot, and the one after its last."""
        return min(slot * self.packed, self.groups), min((slot + 1) * self.packed, self.groups)


def _pack(solution: Solution, layout: _Layout) -> "torch.Tensor":
    """Pack the codes in the layout of hqq's `BitPack`, in blocks of groups."""
    import torch

    dtype = torch.int32 if layout.bits == 3 else torch.uint8
    packed = torch.zeros(layout.packed, layout.group_size, dtype=dtype)
    for slot in range(layout.slots):
        first, last = layout.span(slot)
        for block in solution.groups.blocks(first, last):
            codes = solution.codes(block).to(dtype)
            packed[block.start - first : block.stop - first] |= codes << layout.shift(slot)
    return packed


def _half(values: "torch.Tensor", what: str) -> "torch.Tensor":
    import torch

    half = values.to(torch.float16)
    if not half.isfinite().all():
        raise UserError(
            f"The {what} of a group is too large for float16, in which Hqq stores it: store this tensor with Raw."
        )
    return half
