"""harness.compression.codecs.decimal_estimate against hand calculations and the real codec."""

import math

import pytest
import torch

from harness.compression.codecs import Certainty, Decimal
from harness.compression.codecs.decimal_estimate import bits_per_weight, entropy, estimate, sigma_of
from harness.core.errors import UserError
from harness.models.tensor_spec import TensorSpec
from tests.compression.codecs.examples import spec_of


def test_the_entropy_of_a_coarse_and_of_a_fine_rounding() -> None:
    """Forbids another entropy than theory's: three values by the normal table, and log2(s sqrt(2 pi e)) for large s.

    At a spread of 0.5 steps, P(0) = P(|z| < 1) = 0.682689, P(+-1) = P(1 < |z| < 3) / 2 = 0.157305,
    P(+-2) = P(3 < |z| < 5) / 2 = 0.001350.
    """
    table = (0.682689, 0.157305, 0.157305, 0.001350, 0.001350)
    assert entropy(0.5) == pytest.approx(-sum(p * math.log2(p) for p in table), abs=1e-4)
    assert entropy(20) == pytest.approx(math.log2(20 * math.sqrt(2 * math.pi * math.e)), abs=1e-3)


@pytest.mark.parametrize(("places", "sigma"), [(2, 0.011), (2, 0.03), (3, 0.019)])
def test_the_estimate_is_what_the_codec_makes_of_gaussian_weights(places: int, sigma: float) -> None:
    """Forbids an estimate off by more than 1 % on other, bfloat16 weights, between the spreads that were measured."""
    weight = (torch.randn(800, 1000, generator=torch.Generator().manual_seed(7)) * sigma).bfloat16()
    stored = Decimal(places).encode(weight)[".zstd"].numel()
    size = estimate(Decimal(places), spec_of(weight), sigma)
    assert size.certainty is Certainty.ESTIMATE
    assert size.bytes == pytest.approx(stored, rel=0.01)


@pytest.mark.parametrize("sigma", [0.003, 0.02])
def test_no_estimate_lies_below_the_entropy(sigma: float) -> None:
    """Forbids an estimate that no lossless code could reach."""
    assert bits_per_weight(Decimal(2), sigma) > entropy(sigma * 128)


def test_the_spread_fitted_at_2_places_predicts_3_places() -> None:
    """Forbids a fit that is not the estimate's inverse, or a model that does not carry over to another rounding."""
    weight = torch.randn(1 << 19, generator=torch.Generator().manual_seed(3)) * 0.0137
    sigma = sigma_of(Decimal(2), spec_of(weight), Decimal(2).encode(weight)[".zstd"].numel())
    assert sigma == pytest.approx(0.0137, rel=0.03)
    assert estimate(Decimal(3), spec_of(weight), sigma).bytes == pytest.approx(
        Decimal(3).encode(weight)[".zstd"].numel(), rel=0.01
    )


def test_what_no_gaussian_gives_is_refused() -> None:
    """Forbids an estimate for a spread that was never measured, and a spread for bytes that are no coded weights."""
    tensor = TensorSpec("w", (1000,), "float16")
    for sigma in (0.0, -1.0, 20.0, math.inf):
        with pytest.raises(UserError, match="standard deviation"):
            estimate(Decimal(2), tensor, sigma)
    with pytest.raises(UserError, match="no Gaussian"):
        sigma_of(Decimal(2), tensor, 2000)
