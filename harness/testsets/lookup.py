"""The test sets of a task by name: a task's entry is the name of a manifest or the path of a .toml file."""

from pathlib import Path

from harness.config.task import Task
from harness.testsets.load import test_set_name


def set_names(task: Task, direction: str) -> tuple[str, ...]:
    """Return the names of the task's test sets in a direction; an entry whose .toml file is gone is left out."""
    present = [each for each in task.sets(direction) if not each.endswith(".toml") or Path(each).is_file()]
    return tuple(map(test_set_name, present))
