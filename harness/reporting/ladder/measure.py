"""From evaluations on disk to the ladder and to contrasts of groups of systems; needs no model."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from harness.calibration.system_artifacts import find_artifact
from harness.compression.registry import System, all_systems
from harness.compression.size import measure
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.evaluation.evaluate import Evaluation, evaluation_path, read_evaluation
from harness.inference.generation_store import load_hypotheses
from harness.reporting.leaderboard.ranking import ScoringContext
from harness.reporting.paper_tables.published import load_published
from harness.scoring.alignment import lines_of
from harness.scoring.significance import Comparison, Interval, interval, paired_bootstrap
from harness.scoring.statistics import Statistics
from harness.testsets.load import load_test_set, test_set_name


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
        metric: the metric that ranks.
        steps: in the order of registration.
        contrasts: those whose systems are all there.
    """

    task: str
    test_set: str
    directions: tuple[str, ...]
    metric: str
    steps: tuple[LadderStep, ...]
    contrasts: tuple[Contrast, ...]


@dataclass(frozen=True)
class _Measured:
    """What is stored of one system."""

    system: System
    bytes: int
    statistics: tuple[Statistics, ...]
    cross_entropy: float | None


def measure_ladder(task: Task, test_set: str, workdir: WorkDir) -> Ladder:
    """Compare every evaluated system with the 16-bit system of its role.

    Args:
        task: its metric, roles and directions.
        test_set: name of a test set with references.
        workdir: the store.

    Raises:
        UserError: nothing is evaluated on the set, or a stored file does not read.
    """
    directions = tuple(p for p in task.directions if test_set in map(test_set_name, task.sets(p)))
    entry = next((e for p in directions for e in task.sets(p) if test_set_name(e) == test_set), test_set)
    data = load_test_set(entry, workdir)
    contexts = [ScoringContext(task, data, direction, workdir) for direction in directions]
    found = {
        system.name: measured for system in all_systems() if (measured := _measured(task, system, contexts)) is not None
    }
    if not found:
        raise UserError(f"No system is evaluated on {test_set} yet: `harness run --stage evaluate` does that.")
    contrasts = tuple(
        Contrast(each.name, each.other, paired_bootstrap(_all(found, each.systems), _all(found, each.others)))
        for each in load_published().contrasts
        if {*each.systems, *each.others} <= found.keys()
    )
    steps = tuple(_step(measured, found) for measured in found.values())
    return Ladder(task.name, test_set, directions, task.scoring.metrics[0], steps, contrasts)


def _all(found: dict[str, _Measured], names: Sequence[str]) -> list[Statistics]:
    return [statistics for name in names for statistics in found[name].statistics]


def _step(measured: _Measured, found: dict[str, _Measured]) -> LadderStep:
    base = found.get(f"fp16-{measured.system.role}")
    compared = base is not None and base is not measured
    return LadderStep(
        system=measured.system.name,
        role=measured.system.role,
        bytes=measured.bytes,
        quality=interval(measured.statistics),
        loss=paired_bootstrap(measured.statistics, base.statistics) if base and compared else None,
        cross_entropy=measured.cross_entropy,
    )


def _measured(task: Task, system: System, every: Sequence[ScoringContext]) -> _Measured | None:
    """Return what is stored of a system, or None where it is not evaluated in every direction of its role."""
    if system.role not in task.roles:
        return None
    workdir = every[0].workdir
    contexts = [ground for ground in every if ground.direction in task.role(system.role).directions]
    try:
        artifact = find_artifact(task, system.name, workdir)
    except UserError:
        return None
    paths = [evaluation_path(task, workdir, artifact, ground.test_set.name, ground.direction) for ground in contexts]
    evaluations = [evaluation for path in paths if (evaluation := read_evaluation(path)) is not None]
    if len(evaluations) < len(contexts) or not contexts:
        return None
    lines = [lines_of(load_hypotheses(workdir.hypotheses / each.hypotheses)) for each in evaluations]
    statistics = tuple(ground.statistics(each) for ground, each in zip(contexts, lines, strict=True))
    return _Measured(system, measure(artifact).total, statistics, _cross_entropy(evaluations))


def _cross_entropy(evaluations: Sequence[Evaluation]) -> float | None:
    values = [score.value for each in evaluations for score in each.scores if score.metric == "cross-entropy"]
    return sum(values) / len(values) if len(values) == len(evaluations) else None
