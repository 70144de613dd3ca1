"""The condition is derived from provenance."""

import pytest

from harness.config.task import load_task
from harness.core.errors import UserError
from harness.submission.condition import Condition, derive_condition, supporting_data
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
        "released instruct model",
        "calibrated on other data",
        "data not stated",
    ],
)
def test_condition_follows_from_the_data(
    role: str, datasets: tuple[str, ...], calibration: tuple[str, ...], expected: Condition
) -> None:
    """Forbids counting the base model's pre-training, and ignoring tuning, calibration or unstated data."""
    assert derive_condition(make_manifest(role, datasets, calibration), DEMO) is expected


def test_pretraining_of_the_released_7b_models_does_not_count() -> None:
    """Forbids that a released model without training.json excludes its team from the constrained condition."""
    assert derive_condition(make_manifest("instruct", ("unknown",)), REAL) is Condition.CONSTRAINED
    assert derive_condition(make_manifest("untuned", ("unknown",), ("acl6060",)), REAL) is Condition.CONSTRAINED
    assert derive_condition(make_manifest("untuned", ("unknown", "covost2")), REAL) is Condition.UNCONSTRAINED
    assert derive_condition(make_manifest("finetuned", ("unknown", "acl6060")), REAL) is Condition.UNCONSTRAINED


def test_a_claim_against_provenance_names_the_data_set() -> None:
    """Forbids a constrained claim where other data supported the system, and an unconstrained claim without such."""
    tuned = make_manifest("finetuned", ("demo-general", "demo-train"), ("europarl-st",))
    with pytest.raises(
        UserError, match="demo-train, europarl-st supported its compression and only demo-dev, demo-eval may"
    ):
        derive_condition(tuned, DEMO, Condition.CONSTRAINED)
    with pytest.raises(UserError, match="which is derived"):
        derive_condition(make_manifest(), DEMO, Condition.UNCONSTRAINED)


def test_a_claim_that_agrees_is_kept() -> None:
    """Forbids refusing a claim that agrees with the provenance."""
    assert derive_condition(make_manifest(), DEMO, Condition.CONSTRAINED) is Condition.CONSTRAINED
    tuned = make_manifest("finetuned", ("demo-train",))
    assert derive_condition(tuned, DEMO, Condition.UNCONSTRAINED) is Condition.UNCONSTRAINED


def test_supporting_data_is_tuning_and_calibration() -> None:
    """Forbids listing pre-training as supporting data, and losing calibration data."""
    manifest = make_manifest("finetuned", ("demo-general", "demo-train"), ("demo-dev", "demo-train"))
    assert supporting_data(manifest, DEMO) == ("demo-dev", "demo-train")
