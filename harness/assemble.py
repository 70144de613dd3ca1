"""From the name of a system to its plan and its artifact."""

from pathlib import Path

from harness.artifact import Artifact, open_artifact
from harness.build import artifact_path, build
from harness.checkpoint import Checkpoint, open_checkpoint
from harness.errors import UserError
from harness.plan import Plan, resolve
from harness.registry import System, get_system
from harness.task import Task
from harness.workdir import WorkDir


def plan_of(task: Task, system: System, workdir: WorkDir) -> tuple[Checkpoint, Plan]:
    """Return the checkpoint that the task gives to a system's role, and the plan for it.

    Raises:
        UserError: the checkpoint is missing or broken, or the recipe does not suit it.
    """
    checkpoint = open_checkpoint(task.role(system.role).path, workdir.cache)
    return checkpoint, resolve(system.name, system.recipe(), checkpoint.specs)


def build_system(task: Task, system: System, workdir: WorkDir) -> Artifact:
    """Build a system for a task, or return the artifact that is there."""
    checkpoint, plan = plan_of(task, system, workdir)
    return build(checkpoint, plan, system.role, workdir)


def find_artifact(task: Task, name: str, workdir: WorkDir) -> Artifact:
    """Open an artifact by the system's name, or by the path of its directory.

    Raises:
        UserError: no such system, not built yet, or damaged.
    """
    if Path(name).is_dir():
        return open_artifact(Path(name), workdir.cache)
    checkpoint, plan = plan_of(task, get_system(name), workdir)
    path = artifact_path(checkpoint, plan, get_system(name).role, workdir)
    if not path.is_dir():
        raise UserError(f"{name} is not built yet in {workdir.root}: `harness build {name}` builds it.")
    return open_artifact(path, workdir.cache)
