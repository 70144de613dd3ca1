"""The condition of a submission, derived from provenance: who wants `constrained` shows it, nobody types it.

The campaign's constrained condition allows its own development data alone to *support the compression*. So what
counts is every data set that a checkpoint was tuned on and every data set that a choice was calibrated or measured
on. What does not count is the pre-training of the base model that the campaign gives to everyone: the task profile
names it, role by role, as `pretraining`. Only names listed there are let off: a checkpoint that says nothing about its
data is trained on `unknown`, which counts unless the profile lists it for that role, as it does for the released
models, whose pre-training was never published in full.
"""

from enum import StrEnum

from harness.compression.artifact import Manifest
from harness.config.task import Task
from harness.core.errors import UserError


class Condition(StrEnum):
    """The campaign's conditions."""

    CONSTRAINED = "constrained"
    UNCONSTRAINED = "unconstrained"


def supporting_data(manifest: Manifest, task: Task) -> tuple[str, ...]:
    """Return the data sets that supported the compression, sorted: tuning and calibration, not pre-training.

    Raises:
        UserError: the task has no such role.
    """
    pretraining = task.role(manifest.role).pretraining
    tuned = {name for name in manifest.datasets if name not in pretraining}
    return tuple(sorted(tuned | set(manifest.calibration_datasets)))


def outside_data(manifest: Manifest, task: Task) -> tuple[str, ...]:
    """Return the data sets that supported the compression but are not allowed in the constrained condition."""
    return tuple(name for name in supporting_data(manifest, task) if name not in task.names.constrained_data)


def condition_of(manifest: Manifest, task: Task, claim: Condition | None = None) -> Condition:
    """Derive the condition in which an artifact may be submitted.

    Args:
        manifest: the artifact's provenance.
        task: names the allowed data and the base models' pre-training.
        claim: what the submission manifest asks for, if it says anything.

    Raises:
        UserError: the claim contradicts the provenance; the sentence names the data sets.
    """
    outside = outside_data(manifest, task)
    found = Condition.UNCONSTRAINED if outside else Condition.CONSTRAINED
    if claim is None or claim is found:
        return found
    if claim is Condition.CONSTRAINED:
        raise UserError(
            f"{manifest.system} cannot be packed as constrained, since {', '.join(outside)} supported it and only "
            f"{', '.join(task.names.constrained_data)} may: enter another system, or drop the manifest's `condition`."
        )
    raise UserError(
        f"{manifest.system} is constrained by its provenance, but the manifest asks for unconstrained: "
        "drop the manifest's `condition`, it is derived."
    )
