"""Estimates of Decimal's size from the standard deviation of the weights: for planning, never for reports.

Weights of a linear layer are approximately Gaussian, and rounding turns them into multiples k of a step. The number of
bits that Zstandard takes for a float16 k * step depends only on the standard deviation in steps. It is one to two bits
above the entropy of k, because Zstandard codes low and high bytes with one table and finds spurious matches. There is
no formula for that excess, so it is measured: a seeded Gaussian sample is encoded by the codec at standard deviations
half an octave apart, and the bits between are interpolated linearly over the logarithm of the standard deviation.

The estimate is within 1 % for Gaussian tensors of at least a quarter of a million weights, and up to 10 % too low for
smaller ones.
"""

import math
from functools import lru_cache

from harness.compression.codecs.base import Certainty, Codec, Size
from harness.compression.codecs.decimal import PAYLOAD, Decimal
from harness.core.errors import UserError
from harness.models.tensor_spec import TensorSpec

SAMPLE = 1 << 20
"""Weights in the Gaussian sample: enough for Zstandard to choose its parameters for large inputs."""
PER_OCTAVE = 2
"""Standard deviations per doubling at which the sample is measured."""
_LOWEST, _HIGHEST = -20 * PER_OCTAVE, 4 * PER_OCTAVE


def planned_size(codec: Codec, tensor: TensorSpec, sigma: float) -> Size:
    """Return an estimate for Decimal, given the weights' standard deviation, and for other codecs the size they state.

    Raises:
        UserError: sigma is outside 2^-20 to 2^4.
    """
    return estimate(codec, tensor, sigma) if isinstance(codec, Decimal) else codec.size(tensor)


def estimate(codec: Decimal, tensor: TensorSpec, sigma: float) -> Size:
    """Return the estimated size of a tensor's payload, given the standard deviation of its weights.

    Raises:
        UserError: sigma is outside 2^-20 to 2^4.
    """
    return Size(round(bits_per_weight(codec, sigma) * tensor.numel / 8), Certainty.ESTIMATE)


def bits_per_weight(codec: Decimal, sigma: float) -> float:
    """Return the bits that Zstandard takes per weight of a large Gaussian tensor.

    Raises:
        UserError: sigma is outside 2^-20 to 2^4.
    """
    position = math.log2(sigma) * PER_OCTAVE if sigma > 0 else -math.inf
    if not _LOWEST <= position < _HIGHEST:
        raise UserError(f"{sigma:g} is not a valid standard deviation of weights: choose one between 2^-20 and 2^4.")
    below = math.floor(position)
    share = position - below
    return (1 - share) * _measured(codec, below) + share * _measured(codec, below + 1)


@lru_cache(maxsize=4 * (_HIGHEST - _LOWEST))
def _measured(codec: Decimal, index: int) -> float:
    """Return the bits per weight of the sample with a standard deviation of 2^(index / PER_OCTAVE)."""
    import torch

    sample = torch.randn(SAMPLE, generator=torch.Generator().manual_seed(0))
    return 8 * codec.encode(sample * 2 ** (index / PER_OCTAVE))[PAYLOAD].numel() / SAMPLE
