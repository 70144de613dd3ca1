"""Assemble the leaderboard from evaluations alone, without models, audio or test sets."""

from collections.abc import Sequence

import msgspec

from harness.config.task import Task
from harness.core.errors import UserError
from harness.evaluation.evaluation_store import EXTERNAL, Evaluation, require_same_test_set
from harness.reporting.leaderboard.rows import Base, Leaderboard, Row, Section
from harness.scoring.metric import get_metric
from harness.scoring.metrics.cross_entropy import CROSS_ENTROPY
from harness.scoring.significance import clusters, interval
from harness.testsets.lookup import set_names


def assemble_leaderboard(task: Task, evaluations: Sequence[Evaluation]) -> Leaderboard:
    """Arrange evaluations, one per system, test set and direction, in one section per direction and test set.

    Raises:
        UserError: there are no evaluations, or a test set changed between them.
    """
    sections = [
        Section(direction=direction, test_set=name, rows=_rows(task, found, _bases(evaluations)))
        for direction in task.directions
        for name in _test_sets(task, direction, evaluations)
        if (found := [each for each in evaluations if (each.direction, each.test_set) == (direction, name)])
    ]
    if not sections:
        raise UserError("No system is evaluated yet: `harness run --stage evaluate` does that.")
    names = dict.fromkeys((*task.scoring.metrics, CROSS_ENTROPY))
    scales = tuple(get_metric(name, task.scoring).scale for name in names)
    return Leaderboard(task=task.name, title=task.title, limit=task.limit, sections=tuple(sections), metrics=scales)


def _test_sets(task: Task, direction: str, evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
    """Return the task's sets in their order; where manifests are missing, also the sets that were evaluated."""
    known = set_names(task, direction)
    if len(known) == len(task.sets(direction)):
        return known
    evaluated = (each.test_set for each in evaluations if each.direction == direction)
    return tuple(dict.fromkeys((*known, *sorted(evaluated))))


def _bases(evaluations: Sequence[Evaluation]) -> dict[str, Base]:
    """Return the 16-bit system of each role; every evaluation of it states its size."""
    return {each.role: Base(each.system, each.size.total) for each in evaluations if each.system == f"fp16-{each.role}"}


def _rows(task: Task, found: Sequence[Evaluation], bases: dict[str, Base]) -> tuple[Row, ...]:
    require_same_test_set(found)
    ordered = [*(e for e in found if e.role != EXTERNAL), *(e for e in found if e.role == EXTERNAL)]
    rows = [_row(task, each, bases) for each in ordered]
    statistics = [each.statistics(task.scoring.metrics[0], task) for each in ordered]
    tested = [each for each in statistics if each is not None]
    if len(tested) < len(rows):
        return tuple(rows)  # an interval for some rows only would not be comparable
    return tuple(
        msgspec.structs.replace(row, cluster=cluster, interval=interval([one]))
        for row, one, cluster in zip(rows, tested, clusters(tested), strict=True)
    )


def _row(task: Task, found: Evaluation, bases: dict[str, Base]) -> Row:
    return Row(
        system=found.system,
        role=found.role,
        source=found.source,
        artifact=found.artifact,
        bytes=found.size.total,
        weights_bytes=found.size.weights,
        fits=found.size.admitted_by(task.limit),
        base=bases.get(found.role),
        scores=found.scores,
        speed=found.speed,
        flags=found.flags,
        declared=found.size.declared,
    )
