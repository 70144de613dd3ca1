"""harness.compression.codecs.decimal_estimate against hand calculations and the real codec."""

import json
import math
from pathlib import Path

import pytest
import torch

from harness.cli.main import group
from harness.compression.codecs import Certainty, Decimal
from harness.compression.codecs.decimal_estimate import bits_per_weight, estimate
from harness.core.errors import UserError
from harness.core.manifests import root
from harness.models.tensor_spec import TensorSpec
from tests.compression.codecs.examples import spec_of


def entropy(spread: float) -> float:
    """Return the entropy in bits of a Gaussian rounded to integers, given its standard deviation."""
    scale = spread * math.sqrt(2)
    reach = math.ceil(10 * spread)
    shares = [math.erf((k + 0.5) / scale) - math.erf((k - 0.5) / scale) for k in range(-reach, reach + 1)]
    return -sum(share / 2 * math.log2(share / 2) for share in shares if share > 0)


@pytest.mark.parametrize(("places", "sigma"), [(2, 0.011), (2, 0.03), (3, 0.019)])
def test_the_estimate_agrees_with_the_codec_for_gaussian_weights(places: int, sigma: float) -> None:
    """Forbids an error above 1 % for other, bfloat16 weights, between the standard deviations that are measured."""
    weight = (torch.randn(800, 1000, generator=torch.Generator().manual_seed(7)) * sigma).bfloat16()
    stored = Decimal(places).encode(weight)[".zstd"].numel()
    size = estimate(Decimal(places), spec_of(weight), sigma)
    assert size.certainty is Certainty.ESTIMATE
    assert size.bytes == pytest.approx(stored, rel=0.01)


@pytest.mark.parametrize("sigma", [0.003, 0.02])
def test_no_estimate_is_below_the_entropy(sigma: float) -> None:
    """Forbids an estimate that no lossless code can reach."""
    assert bits_per_weight(Decimal(2), sigma) > entropy(sigma * 128)


@pytest.mark.parametrize("sigma", [0.0, -1.0, 20.0, math.inf])
def test_a_standard_deviation_outside_the_measured_range_is_refused(sigma: float) -> None:
    """Forbids an estimate by extrapolation."""
    with pytest.raises(UserError, match="standard deviation"):
        estimate(Decimal(2), TensorSpec("w", (1000,), "float16"), sigma)


def test_the_command_labels_the_estimate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Forbids an estimate under another label, and one that ignores the standard deviation.

    Of the 7B model's 8,397,094,912 weights 4,328,521,728 are in the MLPs; 16 bits for the others are 8,137,146,368
    bytes. The entropy of the codes, 3.4 bits at sigma = 0.02, is a lower bound of the rest.
    """
    shapes = str(root() / "models" / "qwen2-audio-7b.json")
    arguments = ["plan", "codec-selected-q2", "--shapes", shapes, "--workdir", str(tmp_path), "--json"]
    sizes = []
    for sigma in ("0.02", "0.04"):
        group.main([*arguments, "--weight-std", sigma], standalone_mode=False)
        size = json.loads(capsys.readouterr().out)["size"]
        assert size["certainty"] == "estimate"
        sizes.append(size["bytes"] - 8_137_146_368)
    lowest = 4_328_521_728 * entropy(0.02 * 128) / 8
    assert lowest < sizes[0] < sizes[1] < 2 * 4_328_521_728
