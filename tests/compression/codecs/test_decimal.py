"""harness.compression.codecs.decimal against numcodecs, bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numcodecs import Quantize, Zstd

from harness.compression.codecs import Certainty, Decimal, decimal
from harness.core.errors import UserError
from tests.compression.codecs.examples import dtypes, few, nbytes, spec_of, spreads, weights


def rounded(weight: torch.Tensor, places: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float16]]":
    """Round with numcodecs, as in the second paper."""
    values: np.ndarray[tuple[int, ...], np.dtype[np.float16]]
    values = Quantize(digits=places, dtype="f4", astype="f2").encode(weight.float().numpy())
    return values


@few
@given(dtypes(), spreads(), st.integers(0, 8), st.integers(1, 40), st.integers(1, 40))
def test_the_payload_is_numcodecs_own(dtype: torch.dtype, spread: float, places: int, rows: int, columns: int) -> None:
    """Forbids payload or values other than those of numcodecs' Quantize and Zstd on the whole tensor."""
    weight, codec = weights((rows, columns), spread, columns, dtype), Decimal(places)
    parts = codec.encode(weight)
    values = rounded(weight, places)
    assert parts[".zstd"].numpy().tobytes() == Zstd(level=3).encode(values)
    assert parts[".ends"].tolist() == [parts[".zstd"].numel()]
    half = codec.decode(parts, spec_of(weight.half()))
    assert np.array_equal(half.numpy(), values)
    assert torch.equal(codec.decode(parts, spec_of(weight)), half.to(dtype))


@pytest.mark.parametrize(("places", "step"), [(2, 1 / 128), (3, 1 / 1024)])
def test_the_step_is_the_published_power_of_two(places: int, step: float) -> None:
    """Forbids significant digits: steps are 2^-7 and 2^-10 for 2 and 3 decimal places, whatever the magnitude."""
    weight = torch.tensor([[0.4 * step, 0.6 * step, 1 + 0.4 * step, -1 - 0.6 * step]])
    decoded = Decimal(places).decode(Decimal(places).encode(weight), spec_of(weight))
    assert decoded.tolist() == [[0, step, 1, -1 - step]]


@few
@given(st.integers(1, 300), st.integers(1, 50), st.integers(1, 30), st.integers(1, 8))
def test_frames_and_blocks_do_not_show(count: int, frame: int, block: int, level: int) -> None:
    """Forbids values that depend on how a large tensor was divided, and bytes over the bound."""
    weight, codec = weights((count,), 0.02, count), Decimal(3, level)
    whole = codec.decode(codec.encode(weight), spec_of(weight))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decimal, "FRAME", frame)
        patch.setattr(decimal, "BLOCK", block)
        parts = codec.encode(weight)
        assert torch.equal(codec.decode(parts, spec_of(weight)), whole)
        assert nbytes(parts) <= codec.size(spec_of(weight)).bytes


@pytest.mark.parametrize("count", [0, 1, 1000, 65_536, 70_000])
def test_the_size_is_a_bound_for_what_cannot_be_compressed(count: int) -> None:
    """Forbids a bound that random bits exceed: Zstandard makes them larger."""
    noise = torch.randint(0, 0x7BFF, (count,), dtype=torch.int16).view(torch.float16)
    size = Decimal(8).size(spec_of(noise))
    assert size.certainty is Certainty.BOUND
    assert nbytes(Decimal(8).encode(noise)) <= size.bytes
    assert Decimal(8).decode(Decimal(8).encode(noise), spec_of(noise)).shape == (count,)


def test_overflow_is_refused() -> None:
    """Forbids an infinite weight where the checkpoint has a finite one."""
    with pytest.raises(UserError, match="float16"):
        Decimal(2).encode(torch.tensor([7e4]))
