"""Evaluations: one system on one test set in one direction, everything measured, in one file.

Reports read evaluations only, so an evaluation holds what significance tests need, the size of the artifact, and what
a row of a report shows.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from harness.calibration.system_artifacts import find_artifact
from harness.compression.registry import all_systems
from harness.config.task import Counted, Limit, Task
from harness.core.errors import UserError
from harness.core.files import key_of
from harness.core.progress import log_once
from harness.core.store import Store, StoreEntry
from harness.core.workdir import WorkDir
from harness.evaluation.speed_summary import SpeedSummary
from harness.scoring.metric import Score, Scored, get_metric
from harness.scoring.statistics import Statistics, statistics_of

EXTERNAL = "external"  # role of systems whose translations were imported


class EvaluatedSize(msgspec.Struct, frozen=True):
    """Bytes of a system.

    Attributes:
        total: all files of the artifact.
        weights: tensors alone; None where only the total is known.
        declared: whether the total is as declared by the system's authors, not measured.
    """

    total: int
    weights: int | None = None
    declared: bool = False

    def admitted_by(self, limit: Limit) -> bool:
        """Whether a limit admits the system; where only the total is known, the total counts."""
        only_weights = limit.counts is Counted.WEIGHTS and self.weights is not None
        return limit.admits(self.weights if only_weights and self.weights is not None else self.total)


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything measured of one system on one test set in one direction.

    Attributes:
        system: registered name, or the name of an import.
        role: which checkpoint the system compresses, or `external`.
        source: where the system is described.
        artifact: id of the artifact that was run.
        settings: sha256 over the task's settings that the numbers depend on.
        test_set_key: content key of the test set, its texts and audio.
        hypotheses: key of the translations.
        scored: the task's metrics and cross-entropy with their statistics; empty where the set has no references.
        speed: None where it is not measured.
        flags: number of translations with each flag, by its name.
    """

    system: str
    role: str
    source: str
    artifact: str
    settings: str
    test_set: str
    test_set_key: str
    direction: str
    hypotheses: str
    scored: tuple[Scored, ...]
    size: EvaluatedSize
    speed: SpeedSummary | None
    flags: dict[str, int]

    @property
    def scores(self) -> tuple[Score, ...]:
        """The scores without statistics."""
        return tuple(each.score for each in self.scored)

    def score(self, metric: str) -> Score | None:
        """Return the score of a metric, or None where it was not measured."""
        return next((score for score in self.scores if score.metric == metric), None)

    def statistics(self, metric: str, task: Task) -> Statistics | None:
        """Return the statistics of a metric, or None where it was not measured or has none.

        Raises:
            UserError: the metric is unknown.
        """
        found = next((each for each in self.scored if each.score.metric == metric and each.statistics), None)
        return None if found is None else statistics_of(get_metric(metric, task.scoring), found.statistics)


EVALUATIONS = Store("evaluation", Evaluation, 4, "remove it and evaluate again")


def require_same_test_set(evaluations: Sequence[Evaluation]) -> None:
    """Refuse to compare evaluations of one test set whose texts or audio changed between them.

    Raises:
        UserError: they are of different contents of the test set.
    """
    first = evaluations[0] if evaluations else None
    other = next((each for each in evaluations if first and each.test_set_key != first.test_set_key), None)
    if first and other:
        raise UserError(
            f"{first.test_set} changed between the evaluations of {first.system} and {other.system}: evaluate all "
            "systems again with `harness run --stage evaluate`."
        )


def settings_key(task: Task, role: str, direction: str) -> str:
    """Return the sha256 over the settings of a task that an evaluation in a role and direction depends on."""
    if role == EXTERNAL:
        return key_of([EXTERNAL, task.scoring])
    used = task.role(role)
    return key_of([task.prompts[used.prompt], task.directions[direction], used.decoding, task.segmenting, task.scoring])


def evaluation_entry(
    task: Task, workdir: WorkDir, system: tuple[str, str, str], where: tuple[str, str]
) -> StoreEntry[Evaluation]:
    """Return the entry of a system (name, role, artifact id) on a test set in a direction under a task's settings."""
    (name, role, artifact), (test_set, direction) = system, where
    settings = settings_key(task, role, direction)
    inputs = {"artifact": artifact, "settings": settings, "test_set": test_set, "direction": direction}
    return EVALUATIONS.entry(workdir.evaluations, inputs, label=f"{name}-{test_set}-{direction}")


def load_evaluations(task: Task, workdir: WorkDir) -> tuple[Evaluation, ...]:
    """Return the evaluations that were made with the task's present settings.

    Systems are in the order of their registration, imported ones last. Where a system was evaluated with several
    artifacts on a test set, its present artifact counts, or the one evaluated last where that is not known.

    Raises:
        UserError: a stored evaluation is damaged.
    """
    groups: dict[tuple[str, ...], list[tuple[Path, Evaluation]]] = {}
    for path, each in EVALUATIONS.open_all(workdir.evaluations):
        if _is_current(each, task):
            kind = EXTERNAL if each.role == EXTERNAL else "registered"  # an import may have a system's name
            groups.setdefault((kind, each.system, each.test_set, each.direction), []).append((path, each))
    present = {name: _present_artifact(name, task, workdir) for name in _ambiguous(groups)}
    chosen = [found for group in groups.values() if (found := _choose(group, present)) is not None]
    order = {system.name: place for place, system in enumerate(all_systems())}
    return tuple(sorted(chosen, key=lambda each: (order.get(each.system, len(order)), each.system)))


def _is_current(evaluation: Evaluation, task: Task) -> bool:
    known = evaluation.direction in task.directions and evaluation.role in {EXTERNAL, *task.roles}
    return known and evaluation.settings == settings_key(task, evaluation.role, evaluation.direction)


def _ambiguous(groups: Mapping[tuple[str, ...], Sequence[tuple[Path, Evaluation]]]) -> list[str]:
    """Return the registered systems that were evaluated with several artifacts."""
    every = (each for group in groups.values() for _, each in group if each.role != EXTERNAL)
    names = [name for name, _ in dict.fromkeys((each.system, each.artifact) for each in every)]
    return list(dict.fromkeys(name for name in names if names.count(name) > 1))


def _present_artifact(name: str, task: Task, workdir: WorkDir) -> str | None:
    """Return the id of a system's artifact, or None where the checkpoint or development data are missing."""
    try:
        found = find_artifact(task, name, workdir).id
    except UserError:
        return None
    log_once(f"{name} was evaluated with several artifacts: reports show {found[:16]}, its present one.")
    return found


def _choose(group: Sequence[tuple[Path, Evaluation]], present: Mapping[str, str | None]) -> Evaluation | None:
    wanted = None if group[0][1].role == EXTERNAL else present.get(group[0][1].system)
    if wanted is not None:
        return next((each for _, each in group if each.artifact == wanted), None)
    return max(group, key=lambda pair: pair[0].stat().st_mtime_ns)[1]
