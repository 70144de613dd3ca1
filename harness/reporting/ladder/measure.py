"""From evaluations to the ladder and to contrasts of groups of systems: a pure function."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from harness.config.task import Task
from harness.core.errors import UserError
from harness.evaluation.evaluation_store import Evaluation
from harness.reporting.paper_tables.published import load_published
from harness.scoring.metric import Scale, get_metric
from harness.scoring.metrics.cross_entropy import CROSS_ENTROPY
from harness.scoring.significance import Comparison, Interval, interval, paired_bootstrap
from harness.scoring.statistics import Statistics
from harness.testsets.lookup import set_names


class LadderStep(msgspec.Struct, frozen=True):
    """One system.

    Attributes:
        system: registered name.
        role: of its checkpoint.
        bytes: of all files of its artifact.
        quality: mean over directions of the metric that ranks, with its interval.
        loss: quality minus that of the 16-bit system of its role; None for that system, or where it was not measured.
        cross_entropy: mean over directions, nats per token; None where it was not measured.
    """

    system: str
    role: str
    bytes: int
    quality: Interval
    loss: Comparison | None
    cross_entropy: float | None


class Contrast(msgspec.Struct, frozen=True):
    """One group of systems against another.

    Attributes:
        name: of the first group.
        other: of the second group.
        comparison: mean quality of the first minus that of the second.
    """

    name: str
    other: str
    comparison: Comparison


class Ladder(msgspec.Struct, frozen=True):
    """The ladder of a task on one test set.

    Attributes:
        task: name of the task.
        test_set: name of the test set.
        directions: over which qualities are averaged.
        metric: name of the metric that ranks.
        scale: how its numbers are read.
        steps: in the order of registration.
        contrasts: those whose systems are all there.
    """

    task: str
    test_set: str
    directions: tuple[str, ...]
    metric: str
    scale: Scale
    steps: tuple[LadderStep, ...]
    contrasts: tuple[Contrast, ...]


@dataclass(frozen=True)
class _Measured:
    """The evaluations of one system in every direction of its role."""

    evaluations: tuple[Evaluation, ...]
    statistics: tuple[Statistics, ...]

    @property
    def first(self) -> Evaluation:
        return self.evaluations[0]

    @property
    def cross_entropy(self) -> float | None:
        found = [score.value for each in self.evaluations if (score := each.score(CROSS_ENTROPY)) is not None]
        return sum(found) / len(found) if len(found) == len(self.evaluations) else None


def measure_ladder(task: Task, test_set: str, evaluations: Sequence[Evaluation]) -> Ladder:
    """Compare every evaluated system with the 16-bit system of its role.

    Args:
        task: its metric, roles and directions.
        test_set: name of a test set with references.
        evaluations: one per system, test set and direction, e.g. of `load_evaluations`.

    Raises:
        UserError: no system is evaluated on the set.
    """
    rows = [each for each in evaluations if each.test_set == test_set and each.role in task.roles]
    directions = tuple(
        name
        for name in task.directions
        if test_set in set_names(task, name) or any(each.direction == name for each in rows)
    )
    found: dict[str, _Measured] = {}
    for system in dict.fromkeys(each.system for each in rows):
        measured = _measured(task, [each for each in rows if each.system == system], directions)
        if measured is not None:
            found[system] = measured
    if not found:
        raise UserError(
            f"No system is evaluated on {test_set} with {task.scoring.metrics[0]} in every direction of its role: "
            "`harness run --stage evaluate` does that."
        )
    contrasts = tuple(
        Contrast(each.name, each.other, paired_bootstrap(_all(found, each.systems), _all(found, each.others)))
        for each in load_published().contrasts
        if {*each.systems, *each.others} <= found.keys()
    )
    steps = tuple(_step(measured, found) for measured in found.values())
    scale = get_metric(task.scoring.metrics[0], task.scoring).scale
    return Ladder(task.name, test_set, directions, scale.name, scale, steps, contrasts)


def _measured(task: Task, rows: Sequence[Evaluation], directions: Sequence[str]) -> _Measured | None:
    """Return a system's evaluations, or None where it is not evaluated and scored in every direction of its role."""
    wanted = [name for name in directions if name in task.role(rows[0].role).directions]
    by_direction = {each.direction: each for each in rows}
    if not wanted or any(name not in by_direction for name in wanted):
        return None
    evaluations = tuple(by_direction[name] for name in wanted)
    statistics = [each.statistics(task.scoring.metrics[0], task) for each in evaluations]
    complete = tuple(each for each in statistics if each is not None)
    return _Measured(evaluations, complete) if len(complete) == len(statistics) else None


def _all(found: dict[str, _Measured], names: Sequence[str]) -> list[Statistics]:
    return [statistics for name in names for statistics in found[name].statistics]


def _step(measured: _Measured, found: dict[str, _Measured]) -> LadderStep:
    base = found.get(f"fp16-{measured.first.role}")
    compared = base is not None and base is not measured
    return LadderStep(
        system=measured.first.system,
        role=measured.first.role,
        bytes=measured.first.size.total,
        quality=interval(measured.statistics),
        loss=paired_bootstrap(measured.statistics, base.statistics) if base and compared else None,
        cross_entropy=measured.cross_entropy,
    )
