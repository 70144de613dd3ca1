"""harness.compression.codecs.hqq against the library hqq, bit for bit."""

import math
from typing import Any

import pytest
import torch
from hqq.core.optimize import optimize_weights_proximal_legacy_step
from hqq.core.quantize import HQQLinear, Quantizer, hqq_base_quant_config
from hypothesis import given
from hypothesis import strategies as st

from harness.compression.codecs import Certainty, Hqq, hqq_solver
from harness.core.errors import UserError
from tests.compression.codecs.examples import few, nbytes, same, spec_of, spreads, weights

BITS = (8, 4, 3, 2, 1)
MARGIN = 3e-7
"""Relative difference of two mean errors below which hqq itself may stop one iteration earlier or later."""


def reference(weight: torch.Tensor, bits: int, group_size: int, *, pack: bool = True) -> tuple[torch.Tensor, Any]:
    """Quantise by hqq with the settings of `hqq_base_quant_config`, on the CPU and on one thread."""
    config = hqq_base_quant_config(nbits=bits, group_size=64)["weight_quant_params"] | {"group_size": group_size}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    codes, meta = Quantizer.quantize(weight, **config, bitpack=pack, device="cpu")
    torch.set_num_threads(threads)
    return codes, meta


def admissible_zeros(weight: torch.Tensor, bits: int, group_size: int) -> list[torch.Tensor]:
    """Return the zero points at which hqq stops, and those one comparison within `MARGIN` away from it."""
    grouped, top = weight.float().reshape(-1, group_size), 2**bits - 1
    low, span = grouped.amin(1, keepdim=True), grouped.amax(1, keepdim=True) - grouped.amin(1, keepdim=True)
    scale = torch.where(span <= 1e-4, torch.ones(()), top / span).clamp(max=2e4)
    zero = (-low * scale).round() if bits == 4 else -low * scale
    best, found = math.inf, []
    for _ in range(20):
        dense, _, zero, _ = optimize_weights_proximal_legacy_step(grouped, scale, zero, [0, top], 10.0, 0.7, 1)
        error = (grouped - dense).abs().mean().item()
        if error >= best * (1 - MARGIN):
            found.append(zero)
        if error >= best * (1 + MARGIN):
            return found
        best = min(best, error)
    return [*found, zero]


@st.composite
def matrices(draw: st.DrawFn) -> tuple[torch.Tensor, int]:
    """Draw a matrix of a shape that hqq itself handles at every width, and a group size."""
    group_size = draw(st.sampled_from([8, 16, 64, 128]))
    rows, columns = 8 * draw(st.integers(1, 6)), group_size * draw(st.integers(1, 3))
    return weights((rows, columns), draw(spreads()), draw(st.integers(0, 999))), group_size


@few
@given(matrices(), st.sampled_from(BITS))
def test_zero_points_are_hqqs_own_up_to_its_own_margin(case: tuple[torch.Tensor, int], bits: int) -> None:
    """Forbids another stopping iteration than hqq's, except where its float32 mean cannot distinguish two errors."""
    weight, group_size = case
    zero = Hqq(bits, group_size).encode(weight)[".zero"]
    assert any(torch.equal(zero, other.half()) for other in admissible_zeros(weight, bits, group_size))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("spread", [0.02, 8.0])
def test_the_stored_bytes_are_those_of_hqqlinear(bits: int, spread: float) -> None:
    """Forbids codes, packing, metadata or decoded weights other than hqq's HQQLinear stores and computes."""
    weight = weights((96, 128), spread, seed=bits)
    layer = HQQLinear.from_weights(
        weight.float(), None, hqq_base_quant_config(nbits=bits, group_size=64), torch.float16, "cpu"
    )
    codec = Hqq(bits)
    parts = codec.encode(weight)
    assert same(parts, {".codes": layer.W_q.data, ".scale": layer.meta["scale"], ".zero": layer.meta["zero"]})
    assert torch.equal(codec.decode(parts, spec_of(weight.half())), layer.dequantize())


@few
@given(st.integers(1, 23), st.integers(1, 40), st.sampled_from(BITS), st.integers(1, 70), st.integers(0, 99))
def test_any_shape_decodes_to_what_hqq_computes_unpacked(
    rows: int, columns: int, bits: int, group_size: int, seed: int
) -> None:
    """Forbids losing groups where hqq's packing does, and padding other than the last weight."""
    weight = weights((rows, columns), 0.5, seed, torch.float32)
    codec, size = Hqq(bits, group_size), min(group_size, rows * columns)
    parts = codec.encode(weight)
    flat = weight.reshape(-1)
    filled = torch.cat((flat, flat[-1:].expand(-flat.numel() % size)))
    codes, meta = reference(filled, bits, size, pack=False)
    dense = (codes.half() - meta["zero"].half()) * meta["scale"].half()
    assert nbytes(parts) == codec.size(spec_of(weight)).bytes
    assert codec.size(spec_of(weight)).certainty is Certainty.EXACT
    assert torch.equal(codec.decode(parts, spec_of(weight)), dense.reshape(-1)[: flat.numel()].float().view_as(weight))


@pytest.mark.parametrize("bits", BITS)
def test_blocks_do_not_show(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids bytes that depend on the size of the blocks; some groups have residuals that shrink, others not."""
    weight, codec = weights((40, 257), 1.0, seed=1), Hqq(bits, 24)
    whole = codec.encode(weight)
    decoded = codec.decode(whole, spec_of(weight))
    monkeypatch.setattr(hqq_solver, "BLOCK", 24 * 7)
    assert same(codec.encode(weight), whole)
    assert torch.equal(codec.decode(whole, spec_of(weight)), decoded)


def test_threads_do_not_show() -> None:
    """Forbids bytes that depend on the number of processors; from 32,768 elements on, torch splits an operation."""
    weight, threads = weights((128, 257), 1.0, seed=1), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        single = Hqq(2, 24).encode(weight)
        torch.set_num_threads(2)
        assert same(Hqq(2, 24).encode(weight), single)
    finally:
        torch.set_num_threads(threads)


def test_a_residual_at_the_threshold_shrinks_to_nothing() -> None:
    """Forbids skipping hqq's power function where its result is not zero: x - x^(p-1) / beta with p 0.7, beta 10."""
    just = torch.tensor(hqq_solver.SHRINK)
    assert just - just.pow(-0.3) / 10 < 0
    above = 1.002 * just
    assert above - above.pow(-0.3) / 10 > 0


def test_the_hand_calculated_group() -> None:
    """Forbids a wrong formula: 0 to 3 in steps of 1 at 2 bits has scale 1, zero 0, and its codes in the high bits."""
    weight = torch.tensor([[0.0, 3.0], [1.0, 3.0], [2.0, 3.0], [3.0, 0.0]])
    parts = Hqq(2, group_size=8).encode(weight)
    assert parts[".scale"].item() == 1
    assert parts[".zero"].item() == 0
    assert parts[".codes"].tolist() == [[code << 6 for code in (0, 3, 1, 3, 2, 3, 3, 0)]]


@pytest.mark.parametrize(("low", "high"), [(7e4, 7e4), (-1e6, 1e6), (1000, 1000.1), (-3e38, 3e38)])
def test_weights_beyond_float16_are_refused(low: float, high: float) -> None:
    """Forbids infinite metadata, which hqq stores without an error: zero point, scale, zero point, both."""
    with pytest.raises(UserError, match="float16"):
        Hqq(4).encode(torch.tensor([low, high]).repeat(2, 32))


def test_an_empty_tensor_is_refused() -> None:
    """Forbids a division by zero in place of a sentence."""
    with pytest.raises(UserError, match="empty"):
        Hqq(4).encode(torch.empty(0, 8))
    with pytest.raises(UserError, match="empty"):
        Hqq(4).size(spec_of(torch.empty(0, 8)))
