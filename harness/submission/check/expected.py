"""What an archive should hold: the campaign's sets by direction, and how many lines each has."""

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
        lines: segments, when the segmentation is given; None where every team cuts the recordings itself.
    """

    name: str
    lines: int | None


@dataclass(frozen=True)
class Expectation:
    """What `check` holds an archive against.

    Attributes:
        names: the campaign's names.
        sets: by direction, e.g. `en-de`.
    """

    names: Names
    sets: dict[str, tuple[ExpectedSet, ...]]


def expectation(task: Task, test_sets: Sequence[TestSet]) -> Expectation:
    """Return what an archive of this task should hold.

    Args:
        task: which sets are submitted in which direction.
        test_sets: those that are there, imported; of the others, and of those without gold segments, an archive must
            have a file with any number of lines.
    """
    by_name = {test_set.name: test_set for test_set in test_sets}
    sets = {}
    for direction in task.directions:
        sets[direction] = tuple(
            _expected(entry, by_name.get(test_set_name(entry))) for entry in task.submitted(direction)
        )
    return Expectation(task.names, sets)


def _expected(entry: str, test_set: TestSet | None) -> ExpectedSet:
    if test_set is None:
        return ExpectedSet(campaign_name(entry), None)
    return ExpectedSet(test_set.campaign_name, len(test_set.gold.segments) if test_set.gold else None)
