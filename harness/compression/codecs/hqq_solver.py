"""hqq's solver in blocks: finds the scale and zero point of every group in little memory.

`Quantizer.quantize` of hqq 0.2.8 (axis 1, `optimize_weights_proximal_legacy`) runs up to 20 iterations on a whole
float32 copy of the tensor. An iteration updates each group's zero point from that group's weights alone; only the
stopping criterion is global: the last iteration is the first one whose mean error over the whole tensor is not below
the smallest so far. Therefore:

- Iterations run over blocks of groups; between iterations only scales, zero points and error sums are stored.
- A group whose zero point did not change in one iteration never changes again, and neither does its error: later
  iterations skip it. About four of twenty passes remain.
- The proximal step shrinks residuals to zero below `SHRINK`. Only groups with a larger residual need its power
  function, which takes most of hqq's time; they are computed by hqq's own step.
- The error sums are added in float64 and their mean is rounded to float32, whereas hqq computes a float32 mean. hqq's
  mean varies by about 2e-7 (relative) with the number of threads and the vector length of the processor; where two
  iterations differ by less than that, hqq and this module may stop at different iterations. By then fewer than one
  group in a thousand still changes. This module gives the same result for every number of threads and block size.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

ITERATIONS = 20
BETA = 10.0
LP_NORM = 0.7
"""The defaults of hqq's `opt_params`. beta stays constant: `kappa` is unused in the variant that `Quantizer` calls."""
SHRINK = 0.999 * BETA ** (-1 / (2 - LP_NORM))
"""Residuals below this (0.170) shrink to zero: |x| - |x|^(p-1) / beta < 0."""
BLOCK = 1 << 17
"""Elements per block, so that a block's intermediate values fit into a core's cache."""
_SERIAL = 1 << 15
"""Number of elements from which torch distributes an elementwise operation over threads."""
_LANES = 64
"""A multiple of every processor's vector length times torch's loop unrolling."""


@dataclass(frozen=True)
class Groups:
    """A flat tensor of any floating-point type as groups: rows of `size` consecutive elements (hqq's axis 1).

    An incomplete last group is padded with the last element.
    """

    flat: "torch.Tensor"
    size: int

    @property
    def count(self) -> int:
        """Number of groups, including a padded one."""
        return -(-self.flat.numel() // self.size)

    def rows(self, start: int, stop: int) -> "torch.Tensor":
        """Return groups `start` to `stop` in the stored type, shape (stop - start, size)."""
        import torch

        piece = self.flat[start * self.size : stop * self.size]
        missing = (stop - start) * self.size - piece.numel()
        if missing:
            piece = torch.cat((piece, piece[-1:].expand(missing)))
        return piece.view(stop - start, self.size)

    def blocks(self, start: int, stop: int) -> Iterator[slice]:
        """Split groups `start` to `stop` into slices of about `BLOCK` elements."""
        step = max(1, BLOCK // self.size)
        yield from (slice(first, min(first + step, stop)) for first in range(start, stop, step))


@dataclass(frozen=True)
class Solution:
    """The solver's result: code = round(weight * inverse_scale + zero), clamped to 0 to `top`.

    Inverse scales and zero points are float32, shape (groups, 1).
    """

    groups: Groups
    top: int
    inverse_scale: "torch.Tensor"
    zero: "torch.Tensor"

    def codes(self, block: slice) -> "torch.Tensor":
        """Return the codes, 0 to `top`, of a slice of groups as float32."""
        weights = self.groups.rows(block.start, block.stop).float()
        return _codes(weights * self.inverse_scale[block], self.zero[block], self.top)


def solve(groups: Groups, bits: int) -> Solution:
    """Find scales and zero points as hqq's `Quantizer.quantize` does on the CPU, with `hqq_base_quant_config`.

    The values must be finite. The initial zero point is rounded at 4 bits only.
    """
    top, best = 2**bits - 1, math.inf
    state = _SolverState(groups, top, *_start(groups, top, rounded=bits == 4))
    for _ in range(ITERATIONS):
        for block in groups.blocks(0, groups.count):
            state.iterate(block)
        error = state.mean_error()
        # "not <" also stops at a NaN, as hqq does.
        if not error < best or not state.moving.any():
            break
        best = error
    return Solution(groups, top, state.scale, state.zero)


def _start(groups: Groups, top: int, *, rounded: bool) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return the inverse scale and the initial zero point of each group from its range, shape (groups, 1) each."""
    import torch

    low, high = torch.empty(groups.count, 1), torch.empty(groups.count, 1)
    for block in groups.blocks(0, groups.count):
        weights = groups.rows(block.start, block.stop)
        low[block], high[block] = weights.amin(1, keepdim=True), weights.amax(1, keepdim=True)
    span = high.sub_(low)
    scale = torch.where(span.abs() <= 1e-4, torch.ones(()), top / span).clamp_(max=2e4)
    zero = low.neg_().mul_(scale)
    return scale, zero.round_() if rounded else zero


def _codes(scaled: "torch.Tensor", zero: "torch.Tensor", top: int) -> "torch.Tensor":
    return (scaled + zero).round_().clamp_(0, top)


class _SolverState:
    """Scale, zero point, sum of absolute errors before the zero point's last change, and whether it still moves."""

    def __init__(self, groups: Groups, top: int, scale: "torch.Tensor", zero: "torch.Tensor") -> None:
        import torch

        self.groups, self.top, self.scale, self.zero = groups, top, scale, zero
        self.moving = torch.ones(groups.count, dtype=torch.bool)
        self.errors = torch.zeros(groups.count, dtype=torch.float64)

    def mean_error(self) -> float:
        """Return the mean absolute error over all elements, rounded to float32."""
        import torch

        # numpy's sum does not depend on the number of threads, torch's does.
        total = float(self.errors.numpy().sum())
        return torch.tensor(total / (self.groups.count * self.groups.size), dtype=torch.float32).item()

    def iterate(self, block: slice) -> None:
        """Run one solver step for the groups of a block whose zero points still change."""
        chosen = self.moving[block].nonzero().squeeze(1)
        if not chosen.numel():
            return
        weights = self.groups.rows(block.start, block.stop)
        weights = (weights if chosen.numel() == len(weights) else weights[chosen]).float()
        at = chosen + block.start
        scale, zero = self.scale[at], self.zero[at]
        scaled = weights * scale
        codes = _codes(scaled, zero, self.top)
        residuals = (codes - zero).div_(scale).sub_(weights).abs_()
        moved = codes.sub_(scaled).mean(1, keepdim=True)
        self.errors[at] = residuals.sum(1, dtype=self.errors.dtype)
        if residuals.max() >= SHRINK:
            large = (residuals.amax(1) >= SHRINK).nonzero().squeeze(1)
            moved[large] = _shrinking_step(weights[large], scale[large], zero[large], self.top)
        self.zero[at] = moved
        self.moving[at] = (moved != zero).squeeze(1)


def _shrinking_step(weights: "torch.Tensor", scale: "torch.Tensor", zero: "torch.Tensor", top: int) -> "torch.Tensor":
    """Return the next zero points, computed by hqq's own step.

    torch computes the last elements of each thread's part with a scalar power function, which may differ from the
    vectorised one in the last bit. Therefore the groups are processed in pieces that one thread computes, padded to
    whole vectors.
    """
    import torch
    from hqq.core.optimize import optimize_weights_proximal_legacy_step

    unit = _LANES // math.gcd(_LANES, weights.shape[1])
    rows = max(unit, _SERIAL // weights.shape[1] // unit * unit)
    moved = torch.empty_like(zero)
    for start in range(0, len(weights), rows):
        piece = slice(start, min(start + rows, len(weights)))
        filled = torch.arange(start, start + -(-(piece.stop - start) // unit) * unit).clamp_(max=piece.stop - 1)
        _, _, step, _ = optimize_weights_proximal_legacy_step(
            weights[filled], scale[filled], zero[filled], [0, top], BETA, LP_NORM, 1
        )
        moved[piece] = step[: piece.stop - start]
    return moved
