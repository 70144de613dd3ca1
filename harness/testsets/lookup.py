"""The test sets of a task by name: a task's entry is the name of a manifest or the path of a .toml file."""

from harness.config.task import Task
from harness.core.errors import UserError
from harness.testsets.load import test_set_name


def set_names(task: Task, direction: str) -> tuple[str, ...]:
    """Return the names of the task's test sets in a direction; an entry whose .toml file is gone is left out."""
    names = []
    for entry in task.sets(direction):
        try:
            names.append(test_set_name(entry))
        except UserError:
            continue
    return tuple(names)
