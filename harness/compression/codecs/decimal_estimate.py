"""What Decimal will weigh, from the spread of the weights alone: an estimate for planning, never a measured size.

Weights of a linear layer are close to Gaussian, and rounding makes them multiples k of a step. How many bits Zstandard
takes for a float16 k * step depends only on the spread in steps. It lies one to two bits above the entropy of k, since
Zstandard codes low and high bytes with one table and finds matches that mean nothing. No formula gives that part, so it
is measured: a seeded Gaussian sample goes through the codec itself, at spreads half an octave apart, and what lies
between is interpolated over the logarithm of the spread.

Within 1 % for Gaussian tensors of a quarter of a million weights or more; smaller ones take up to a tenth more.
"""

import math
from functools import lru_cache

from harness.compression.codecs.base import Certainty, Size
from harness.compression.codecs.decimal import PAYLOAD, Decimal
from harness.core.errors import UserError
from harness.models.tensor_spec import TensorSpec

SAMPLE = 1 << 20
"""Weights in the Gaussian sample: enough for Zstandard to work with its settings for large inputs."""
PER_OCTAVE = 2
"""Spreads per doubling at which the sample is measured."""
_LOWEST, _HIGHEST = -20 * PER_OCTAVE, 4 * PER_OCTAVE


def entropy(spread: float) -> float:
    """Return the bits per weight that a rounded Gaussian has at least, in any lossless code.

    The sum of -p log2 p over the multiples k, with p the probability that a Gaussian of standard deviation `spread`
    lies within half a step of k; log2(spread * sqrt(2 pi e)) for large spreads.

    Args:
        spread: standard deviation in steps, positive.
    """
    scale = spread * math.sqrt(2)
    reach = math.ceil(10 * spread)
    shares = [math.erf((k + 0.5) / scale) - math.erf((k - 0.5) / scale) for k in range(-reach, reach + 1)]
    return -sum(share / 2 * math.log2(share / 2) for share in shares if share > 0)


def estimate(codec: Decimal, tensor: TensorSpec, sigma: float) -> Size:
    """Return what the payload of a tensor will weigh.

    Args:
        codec: rounding and level.
        tensor: shape; only the number of weights matters.
        sigma: standard deviation of the weights.

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
        raise UserError(f"No weights have a standard deviation of {sigma:g}: give one between 2^-20 and 2^4.")
    below = math.floor(position)
    share = position - below
    return (1 - share) * _measured(codec, below) + share * _measured(codec, below + 1)


def sigma_of(codec: Decimal, tensor: TensorSpec, weight: int) -> float:
    """Return the standard deviation with which a Gaussian tensor takes that many bytes: the inverse of `estimate`.

    Args:
        codec: rounding and level with which the tensor was stored.
        tensor: shape; only the number of weights matters.
        weight: bytes of its payload.

    Raises:
        UserError: no standard deviation between 2^-20 and 2^4 gives that size.
    """
    bits = 8 * weight / tensor.numel
    below, above = _LOWEST, _HIGHEST
    if not _measured(codec, below) <= bits <= _measured(codec, above):
        raise UserError(f"{tensor.name} of {weight:,} bytes holds no Gaussian weights: is that its coded size?")
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if _measured(codec, middle) <= bits else (below, middle)
    low, high = _measured(codec, below), _measured(codec, above)
    share = (bits - low) / (high - low) if high > low else 0.0
    return float(2 ** ((below + share) / PER_OCTAVE))


@lru_cache(maxsize=4 * (_HIGHEST - _LOWEST))
def _measured(codec: Decimal, index: int) -> float:
    """Return bits per weight of the sample with a standard deviation of 2^(index / PER_OCTAVE)."""
    import torch

    sample = torch.randn(SAMPLE, generator=torch.Generator().manual_seed(0))
    return 8 * codec.encode(sample * 2 ** (index / PER_OCTAVE))[PAYLOAD].numel() / SAMPLE
