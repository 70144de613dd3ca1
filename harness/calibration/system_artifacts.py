"""Plans and artifacts of systems by name, with the measurements that they need."""

from pathlib import Path

from harness.calibration.context import MeasurementContext, StoredMeasurements
from harness.calibration.size_search import SizeSearch
from harness.compression.artifact import Artifact, open_artifact
from harness.compression.build import artifact_path, build
from harness.compression.measurement_request import UnmeasuredError
from harness.compression.plan import Plan, resolve
from harness.compression.recipe import SmallestThatFits
from harness.compression.registry import System, get_system
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.models.checkpoint import open_checkpoint


def measurement_context(task: Task, system: System, workdir: WorkDir, device: str = "cpu") -> MeasurementContext:
    """Return a context that makes a system's measurements on the checkpoint of its role.

    Raises:
        UserError: the checkpoint is missing or not valid.
    """
    checkpoint = open_checkpoint(task.role(system.role).path, workdir.cache)
    return MeasurementContext(task, system.role, checkpoint, workdir, device)


def stored_measurements(task: Task, system: System, workdir: WorkDir) -> StoredMeasurements:
    """Return a context that reads a system's stored measurements and makes none."""
    checkpoint = open_checkpoint(task.role(system.role).path, workdir.cache)
    return StoredMeasurements(task, system.role, checkpoint, workdir)


def plan_system(context: MeasurementContext, system: System) -> Plan:
    """Make every choice of a system.

    Raises:
        UserError: the recipe does not suit the checkpoint, or a measurement cannot be made.
    """
    recipe = system.recipe()
    if isinstance(recipe, SmallestThatFits):
        recipe = recipe.family(context.measure(SizeSearch(system.name, recipe)).count)
    return resolve(system.name, recipe, context.checkpoint.specs, context.measure)


def build_in(context: MeasurementContext, name: str) -> Artifact:
    """Build a system of the context's role, or return the existing artifact.

    Raises:
        UserError: the system has another role, or cannot be built.
    """
    system = get_system(name)
    if system.role != context.role_name:
        raise UserError(
            f"{name} compresses the {system.role} checkpoint, not {context.role_name}: name a system of that role."
        )
    return build(context.checkpoint, plan_system(context, system), system.role, context.workdir)


def build_system(task: Task, system: System, workdir: WorkDir, device: str = "cpu") -> Artifact:
    """Build a system for a task after making its measurements, or return the existing artifact.

    Models run on `device` (torch's name) for measurements; encoding runs on the CPU.

    Raises:
        UserError: the checkpoint, development data or an optional library are missing, or the recipe does not suit.
    """
    context = measurement_context(task, system, workdir, device)
    context.require(system)
    return build(context.checkpoint, plan_system(context, system), system.role, workdir)


def find_artifact(task: Task, name: str, workdir: WorkDir) -> Artifact:
    """Open an artifact by the system's name, or by the path of its directory.

    Raises:
        UserError: no system has this name, or its artifact is not built yet or damaged.
    """
    if Path(name).is_dir():
        return open_artifact(Path(name), workdir.cache)
    system = get_system(name)
    context = stored_measurements(task, system, workdir)
    missing = UserError(f"{name} is not built yet in {workdir.root}: `harness build {name}` builds it.")
    try:
        plan = plan_system(context, system)
    except UnmeasuredError as error:
        raise missing from error
    path = artifact_path(context.checkpoint, plan, system.role, workdir)
    if not path.is_dir():
        raise missing
    return open_artifact(path, workdir.cache)
