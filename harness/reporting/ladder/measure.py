"""Measure the ladder and contrasts of groups of systems from evaluations."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from harness.config.task import Task
from harness.core.errors import UserError
from harness.evaluation.evaluation_store import Evaluation, require_same_test_set
from harness.reporting.paper_tables.published import load_published
from harness.scoring.metric import Scale, get_metric
from harness.scoring.metrics.cross_entropy import CROSS_ENTROPY
from harness.scoring.significance import Comparison, Interval, interval, paired_bootstrap
from harness.scoring.statistics import Statistics
from harness.testsets.lookup import set_names


class LadderStep(msgspec.Struct, frozen=True):
    """One system.

    Attributes:
        bytes: of all files of its artifact.
        quality: mean over directions of the ranking metric, with its interval.
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
    """Mean quality of one named group of systems minus that of another."""

    name: str
    other: str
    comparison: Comparison


class Ladder(msgspec.Struct, frozen=True):
    """The ladder of a task on one test set.

    Attributes:
        directions: over which qualities are averaged.
        metric: name of the ranking metric.
        steps: in the order of registration.
        contrasts: those whose systems are all evaluated.
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
    def cross_entropy(self) -> float | None:
        found = [score.value for each in self.evaluations if (score := each.score(CROSS_ENTROPY)) is not None]
        return sum(found) / len(found) if len(found) == len(self.evaluations) else None


def measure_ladder(task: Task, test_set: str, evaluations: Sequence[Evaluation]) -> Ladder:
    """Compare every evaluated system with the 16-bit system of its role on a set with references.

    There is at most one evaluation per system, test set and direction, as `load_evaluations` returns them.

    Raises:
        UserError: no system is evaluated on the set, or the set changed between evaluations.
    """
    rows = [each for each in evaluations if each.test_set == test_set and each.role in task.roles]
    require_same_test_set(rows)
    used = {each.direction for each in rows}
    directions = tuple(name for name in task.directions if test_set in set_names(task, name) or name in used)
    by_system = {each.system: [row for row in rows if row.system == each.system] for each in rows}
    measured = {system: _measured(task, group, directions) for system, group in by_system.items()}
    found = {system: each for system, each in measured.items() if each is not None}
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
    steps = tuple(_step(each, found) for each in found.values())
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
    first = measured.evaluations[0]
    base = found.get(f"fp16-{first.role}")
    loss = None if base is None or base is measured else paired_bootstrap(measured.statistics, base.statistics)
    quality = interval(measured.statistics)
    return LadderStep(first.system, first.role, first.size.total, quality, loss, measured.cross_entropy)
