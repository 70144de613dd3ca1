"""The expected contents of an archive: the campaign's sets by direction, and their numbers of lines."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.config.task import Names, Task
from harness.testsets.load import campaign_name, test_set_name
from harness.testsets.testset import TestSet


@dataclass(frozen=True)
class ExpectedSet:
    """One set of the campaign in one direction.

    Attributes:
        name: its folder in the archive, e.g. `ACL6060`.
        lines: number of gold segments; None for sets without a given segmentation.
    """

    name: str
    lines: int | None


@dataclass(frozen=True)
class Expectation:
    """The expected contents of an archive: the campaign's names, and its sets by direction, e.g. `en-de`."""

    names: Names
    sets: dict[str, tuple[ExpectedSet, ...]]


def expectation(task: Task, test_sets: Sequence[TestSet]) -> Expectation:
    """Return the expected contents of an archive of this task, by its imported test sets.

    For sets that are missing there, and for those without gold segments, an archive must have a file, with any number
    of lines.
    """
    by_name = {test_set.name: test_set for test_set in test_sets}

    def expected(entry: str) -> ExpectedSet:
        test_set = by_name.get(test_set_name(entry))
        if test_set is None:
            return ExpectedSet(campaign_name(entry), None)
        return ExpectedSet(test_set.campaign_name, len(test_set.gold.segments) if test_set.gold else None)

    sets = {direction: tuple(map(expected, task.submitted(direction))) for direction in task.directions}
    return Expectation(task.names, sets)
