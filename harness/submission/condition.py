"""The condition of a submission, constrained or unconstrained, derived from the provenance of its artifact.

In the constrained condition only the campaign's own development data may *support the compression*: every data set
that the checkpoint was tuned on, and every data set that a choice was calibrated or measured on. The pre-training of
the campaign's base model does not count; the task profile lists its data sets for each role as `pretraining`. A
checkpoint without provenance has the data set `unknown`, which counts unless the profile lists it for that role: it
does for the released models, whose pre-training data were never published in full.
"""

from enum import StrEnum

from harness.compression.artifact import Manifest
from harness.config.task import Task
from harness.core.errors import UserError


class Condition(StrEnum):
    """Which data may support the compression."""

    CONSTRAINED = "constrained"
    UNCONSTRAINED = "unconstrained"


def supporting_data(manifest: Manifest, task: Task) -> tuple[str, ...]:
    """Return the data sets that supported the compression, sorted: tuning and calibration, not pre-training.

    Raises:
        UserError: the task does not have the artifact's role.
    """
    pretraining = task.role(manifest.role).pretraining
    tuned = {name for name in manifest.datasets if name not in pretraining}
    return tuple(sorted(tuned | set(manifest.calibration_datasets)))


def outside_data(manifest: Manifest, task: Task) -> tuple[str, ...]:
    """Return the data sets that supported the compression and are not allowed in the constrained condition."""
    return tuple(name for name in supporting_data(manifest, task) if name not in task.names.constrained_data)


def derive_condition(manifest: Manifest, task: Task, claim: Condition | None = None) -> Condition:
    """Derive the condition in which an artifact may be submitted.

    Raises:
        UserError: the claim, which is the condition that the submission manifest states, contradicts the provenance.
    """
    outside = outside_data(manifest, task)
    found = Condition.UNCONSTRAINED if outside else Condition.CONSTRAINED
    if claim is None or claim is found:
        return found
    if claim is Condition.CONSTRAINED:
        raise UserError(
            f"{manifest.system} is not constrained, since {', '.join(outside)} supported its compression and only "
            f"{', '.join(task.names.constrained_data)} may: enter another system, or remove the manifest's `condition`."
        )
    raise UserError(
        f"{manifest.system} is constrained by its provenance, but the manifest states unconstrained: "
        "remove the manifest's `condition`, which is derived."
    )
