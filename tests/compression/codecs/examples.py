"""Weights and helpers of the codec tests."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from hypothesis import settings
from hypothesis import strategies as st

from harness.compression.codecs import Parts
from harness.models.tensor_spec import TensorSpec

F = TypeVar("F", bound=Callable[..., Any])
SMALL = 1e-5
"""A range below which hqq treats a group as constant."""


def few(function: F) -> F:
    """Test a property on the same few examples in every run, without a deadline."""
    chosen: F = settings(max_examples=20, deadline=None, derandomize=True, database=None)(function)
    return chosen


def weights(shape: tuple[int, ...], spread: float, seed: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    """Return normal weights; the first row, if there are several, is constant, the second nearly so."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator) * spread
    if len(shape) == 2 and shape[0] > 2:
        values[0] = spread
        values[1] = values[1] / spread * SMALL
    return values.to(dtype)


def spreads() -> st.SearchStrategy[float]:
    """Return standard deviations of real weights, and larger ones at which hqq's proximal step shrinks residuals."""
    return st.sampled_from([0.003, 0.02, 0.5, 8.0])


def dtypes() -> st.SearchStrategy[torch.dtype]:
    """Return the types of weights in checkpoints."""
    return st.sampled_from([torch.bfloat16, torch.float16, torch.float32])


def spec_of(tensor: torch.Tensor) -> TensorSpec:
    """Return the spec of a tensor."""
    return TensorSpec("w.weight", tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def nbytes(parts: Parts) -> int:
    """Count the bytes of all parts."""
    return sum(part.numel() * part.element_size() for part in parts.values())


def same(one: Parts, other: Parts) -> bool:
    """Whether two encodings agree in every byte, shape and type."""
    return one.keys() == other.keys() and all(
        part.dtype == other[name].dtype and torch.equal(part, other[name]) for name, part in one.items()
    )
