"""From the name of a system to its plan and its artifact."""

from pathlib import Path

from harness.calibration.context import MeasurementContext, StoredMeasurements
from harness.compression.artifact import Artifact, open_artifact
from harness.compression.build import artifact_path, build
from harness.compression.measurement_request import UnmeasuredError
from harness.compression.registry import System, get_system
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.models.checkpoint import open_checkpoint


def measurement_context(task: Task, system: System, workdir: WorkDir, device: str = "cpu") -> MeasurementContext:
    """Return where a system's measurements are made: at the checkpoint that the task gives to its role.

    Raises:
        UserError: the checkpoint is missing or broken.
    """
    checkpoint = open_checkpoint(task.role(system.role).path, workdir.cache)
    return MeasurementContext(task, system.role, checkpoint, workdir, device)


def stored_measurements(task: Task, system: System, workdir: WorkDir) -> StoredMeasurements:
    """Return where a system's measurements are read from; none is made."""
    checkpoint = open_checkpoint(task.role(system.role).path, workdir.cache)
    return StoredMeasurements(task, system.role, checkpoint, workdir)


def build_system(task: Task, system: System, workdir: WorkDir, device: str = "cpu") -> Artifact:
    """Build a system for a task, measuring first what its choices need, or return the artifact that is there.

    Args:
        task: the profile.
        system: what to build.
        workdir: where results go.
        device: torch's name of the device that measurements run on; coding runs on the CPU.

    Raises:
        UserError: the checkpoint, development data or an optional library are missing, or the recipe does not suit.
    """
    context = measurement_context(task, system, workdir, device)
    context.require(system)
    return build(context.checkpoint, context.plan(system), system.role, workdir)


def find_artifact(task: Task, name: str, workdir: WorkDir) -> Artifact:
    """Open an artifact by the system's name, or by the path of its directory.

    Raises:
        UserError: no such system, not built yet, or damaged.
    """
    if Path(name).is_dir():
        return open_artifact(Path(name), workdir.cache)
    system = get_system(name)
    archive = stored_measurements(task, system, workdir)
    missing = UserError(f"{name} is not built yet in {workdir.root}: `harness build {name}` builds it.")
    try:
        plan = archive.plan(system)
    except UnmeasuredError as error:
        raise missing from error
    path = artifact_path(archive.checkpoint, plan, system.role, workdir)
    if not path.is_dir():
        raise missing
    return open_artifact(path, workdir.cache)
