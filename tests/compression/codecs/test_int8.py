"""harness.compression.codecs.int8 against bitsandbytes, bit for bit."""

import pytest
import torch
from bitsandbytes.functional import int8_vectorwise_dequant
from bitsandbytes.nn import Int8Params, Linear8bitLt
from hypothesis import given
from hypothesis import strategies as st

from harness.compression.codecs import Certainty, Int8, int8
from harness.core.errors import UserError
from tests.compression.codecs.examples import dtypes, few, nbytes, same, spec_of, spreads, weights


@few
@given(dtypes(), spreads(), st.integers(1, 20), st.integers(1, 40))
def test_parts_are_what_a_linear8bitlt_saves(dtype: torch.dtype, spread: float, rows: int, columns: int) -> None:
    """Forbids codes, scales or dense weights other than those of bitsandbytes' layer, and a size other than theirs."""
    weight, codec = weights((rows, columns), spread, columns, dtype), Int8()
    layer = Linear8bitLt(columns, rows, bias=False, has_fp16_weights=False)
    layer.weight = Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
    saved = layer.to("cpu").state_dict()
    parts = codec.encode(weight)
    assert same(parts, {"": saved["weight"], ".SCB": saved["SCB"]})
    assert saved["weight_format"] == 0
    dense = int8_vectorwise_dequant(saved["weight"], saved["SCB"])
    assert torch.equal(codec.decode(parts, spec_of(weight)), dense.to(dtype))
    assert codec.size(spec_of(weight)).bytes == nbytes(parts) == rows * columns + 4 * rows
    assert codec.size(spec_of(weight)).certainty is Certainty.EXACT


def test_the_hand_calculated_row() -> None:
    """Forbids a wrong formula: code = round(127 w / absmax), w = code * absmax / 127."""
    weight = torch.tensor([[0.5, -2.0, 1.0, 0.0]])
    parts = Int8().encode(weight)
    assert parts[""].tolist() == [[32, -127, 64, 0]]
    assert parts[".SCB"].tolist() == [2.0]
    expected = torch.tensor([[32, -127, 64, 0]]) * 2 / 127
    torch.testing.assert_close(Int8().decode(parts, spec_of(weight)), expected, rtol=1e-6, atol=0)


def test_a_row_of_zeros_stays_zero() -> None:
    """Forbids the result of 0 / 0 in a row of zeros."""
    weight = torch.zeros(3, 70)
    weight[1] = 1
    parts = Int8().encode(weight)
    assert torch.equal(Int8().decode(parts, spec_of(weight)), weight)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids bytes or values that depend on the size of the blocks."""
    weight = weights((50, 30), 0.02, 0)
    whole = Int8().encode(weight)
    decoded = Int8().decode(whole, spec_of(weight))
    monkeypatch.setattr(int8, "BLOCK", 90)
    assert same(Int8().encode(weight), whole)
    assert torch.equal(Int8().decode(whole, spec_of(weight)), decoded)


@pytest.mark.parametrize("shape", [(8,), (2, 3, 4), (0, 4), (4, 0)])
def test_a_tensor_that_is_not_a_matrix_is_refused(shape: tuple[int, ...]) -> None:
    """Forbids a traceback from inside bitsandbytes."""
    with pytest.raises(UserError, match="matrices"):
        Int8().encode(torch.ones(shape))
    with pytest.raises(UserError, match="matrices"):
        Int8().size(spec_of(torch.ones(shape)))


def test_overflow_is_refused() -> None:
    """Forbids an infinite scale: bitsandbytes quantises in float16."""
    with pytest.raises(UserError, match="float16"):
        Int8().encode(torch.full((1, 4), 7e4))
