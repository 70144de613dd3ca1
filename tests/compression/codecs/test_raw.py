"""harness.compression.codecs.raw."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.compression.codecs import Certainty, Raw
from harness.compression.codecs.raw import Precision
from harness.core.errors import UserError
from tests.compression.codecs.examples import dtypes, few, nbytes, spec_of, weights

TYPES: dict[Precision, torch.dtype] = {"float16": torch.float16, "bfloat16": torch.bfloat16}


@few
@given(dtypes(), st.sampled_from(["stored", "float16", "bfloat16"]), st.integers(0, 5), st.integers(1, 9))
def test_values_are_torchs_cast(dtype: torch.dtype, target: Precision, rows: int, columns: int) -> None:
    """Forbids more than 16 bits a weight, another rounding than torch's, and a size other than the bytes."""
    weight, codec = weights((rows, columns), 1.0, rows, dtype), Raw(target)
    parts = codec.encode(weight)
    kept = torch.float16 if dtype is torch.float32 else dtype
    wanted = TYPES.get(target, kept)
    assert parts.keys() == {""}
    assert parts[""].dtype == wanted
    assert torch.equal(codec.decode(parts, spec_of(weight)), weight.to(wanted).to(dtype))
    assert codec.size(spec_of(weight)).bytes == nbytes(parts) == 2 * weight.numel()
    assert codec.size(spec_of(weight)).certainty is Certainty.EXACT


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_overflow_is_refused(dtype: torch.dtype) -> None:
    """Forbids an infinite weight where the checkpoint has a finite one."""
    with pytest.raises(UserError, match="65504"):
        Raw("float16").encode(torch.tensor([1.0, -7e4], dtype=dtype))
    assert Raw("bfloat16").encode(torch.tensor([7e4]))[""].isfinite().all()


def test_a_strided_tensor_is_stored_contiguous() -> None:
    """Forbids parts that a safetensors file cannot hold."""
    weight = weights((4, 6), 1.0, 0).t()
    part = Raw().encode(weight)[""]
    assert part.is_contiguous()
    assert torch.equal(part, weight)
