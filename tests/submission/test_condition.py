"""The condition is derived from provenance, both ways."""

import pytest

from harness.config.task import load_task
from harness.core.errors import UserError
from harness.submission.condition import Condition, condition_of, supporting_data
from tests.helpers.provenance import make_manifest

DEMO = load_task("demo")
REAL = load_task("iwslt2026-4gb")


@pytest.mark.parametrize(
    ("role", "datasets", "calibration", "expected"),
    [
        ("untuned", ("demo-general",), (), Condition.CONSTRAINED),
        ("untuned", ("demo-general",), ("demo-dev",), Condition.CONSTRAINED),
        ("finetuned", ("demo-general", "demo-dev"), ("demo-dev",), Condition.CONSTRAINED),
        ("finetuned", ("demo-general", "demo-train"), (), Condition.UNCONSTRAINED),
        ("instruct", ("demo-general", "demo-train"), (), Condition.CONSTRAINED),
        ("instruct", ("demo-general",), ("covost2",), Condition.UNCONSTRAINED),
        ("finetuned", ("unknown",), (), Condition.UNCONSTRAINED),
    ],
    ids=[
        "pre-training alone",
        "calibrated on allowed data",
        "tuned on allowed data",
        "tuned on other data",
        "given instruct model",
        "calibrated on other data",
        "data not stated",
    ],
)
def test_condition_follows_from_the_data(
    role: str, datasets: tuple[str, ...], calibration: tuple[str, ...], expected: Condition
) -> None:
    """Forbids counting given pre-training, and overlooking tuning, calibration or data that is not stated."""
    assert condition_of(make_manifest(role, datasets, calibration), DEMO) is expected


def test_the_released_7b_models_are_given() -> None:
    """Forbids that a model from the hub without training.json bars its team from the constrained condition."""
    assert condition_of(make_manifest("instruct", ("unknown",)), REAL) is Condition.CONSTRAINED
    assert condition_of(make_manifest("untuned", ("unknown",), ("acl6060",)), REAL) is Condition.CONSTRAINED
    assert condition_of(make_manifest("untuned", ("unknown", "covost2")), REAL) is Condition.UNCONSTRAINED
    assert condition_of(make_manifest("finetuned", ("unknown", "acl6060")), REAL) is Condition.UNCONSTRAINED


def test_a_claim_against_provenance_names_the_data_set() -> None:
    """Forbids packing as constrained what other data supported, and a claim of unconstrained without such data."""
    tuned = make_manifest("finetuned", ("demo-general", "demo-train"), ("europarl-st",))
    with pytest.raises(UserError, match="demo-train, europarl-st supported it and only demo-dev, demo-eval may"):
        condition_of(tuned, DEMO, Condition.CONSTRAINED)
    with pytest.raises(UserError, match="it is derived"):
        condition_of(make_manifest(), DEMO, Condition.UNCONSTRAINED)


def test_a_claim_that_agrees_is_kept() -> None:
    """Forbids refusing a claim that provenance bears out."""
    assert condition_of(make_manifest(), DEMO, Condition.CONSTRAINED) is Condition.CONSTRAINED
    tuned = make_manifest("finetuned", ("demo-train",))
    assert condition_of(tuned, DEMO, Condition.UNCONSTRAINED) is Condition.UNCONSTRAINED


def test_supporting_data_is_tuning_and_calibration() -> None:
    """Forbids listing given pre-training as support, and losing calibration data."""
    manifest = make_manifest("finetuned", ("demo-general", "demo-train"), ("demo-dev", "demo-train"))
    assert supporting_data(manifest, DEMO) == ("demo-dev", "demo-train")
