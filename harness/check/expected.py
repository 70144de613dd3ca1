"""What an archive should hold: the campaign's sets by direction, and how many lines each has."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.importers import test_set_name
from harness.task import Names, Task
from harness.testset import TestSet


@dataclass(frozen=True)
class ExpectedSet:
    """One set of the campaign in one direction.

    Attributes:
        name: its folder in the archive, e.g. `ACL6060`.
        lines: segments, when the segmentation is given; None where every team cuts the recordings itself.
        required: whether an archive without it is at fault; else its absence is only mentioned.
    """

    name: str
    lines: int | None
    required: bool = True


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
        task: which sets are submitted in which direction. Blind sets that are not among its test sets are known to
            the campaign, so they may be in an archive and their absence is mentioned, but they are not required.
        test_sets: the task's test sets, imported; those without gold segments have no line count of their own.
    """
    by_name = {test_set.name: test_set for test_set in test_sets}
    sets = {}
    for pair in task.directions:
        names = map(test_set_name, task.test_sets.get(pair, ()))
        wanted = [by_name[name] for name in names if name in by_name]
        found = {entry.campaign_name: ExpectedSet(entry.campaign_name, _lines(entry)) for entry in wanted}
        blind = [ExpectedSet(name, None, required=False) for name in task.blind_sets.get(pair, ()) if name not in found]
        sets[pair] = (*found.values(), *blind)
    return Expectation(task.names, sets)


def _lines(test_set: TestSet) -> int | None:
    return len(test_set.gold.segments) if test_set.gold else None
