"""Ranking with chance in mind: external systems join the rows, and each row gets its interval and cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from harness.config.language_pair import target_language
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.evaluation.external_hypotheses import ExternalHypotheses, load_external_hypotheses
from harness.inference.generation_store import load_hypotheses
from harness.inference.output_flags import flagged_texts
from harness.reporting.leaderboard.rows import Row
from harness.scoring.alignment import Lines, aligned, lines_of
from harness.scoring.metric import NotMeasuredError, Score, Texts
from harness.scoring.score_store import score_one, score_texts
from harness.scoring.significance import clusters, interval
from harness.scoring.statistics import Statistics, corpus_statistics, mean_statistics
from harness.testsets.load import load_test_set, test_set_name
from harness.testsets.testset import TestSet

EXTERNAL = "external"
"""The role of systems that somebody else made."""


@dataclass(frozen=True)
class ScoringContext:
    """Where systems are compared: one test set in one direction.

    Attributes:
        task: its metrics and limit.
        test_set: the test set.
        direction: e.g. `en-de`.
        workdir: the store.
    """

    task: Task
    test_set: TestSet
    direction: str
    workdir: WorkDir

    @property
    def scored(self) -> bool:
        """Whether the test set has references in this direction."""
        return target_language(self.direction) in self.test_set.references

    def texts(self, lines: Lines) -> Texts:
        """Return a system's lines beside the references."""
        return aligned(lines, self.test_set, self.workdir, self.task.scoring)

    def scores(self, lines: Lines) -> tuple[Score, ...]:
        """Return all of the task's metrics of a system's lines; none where the set has no references."""
        return score_texts(self.texts(lines), self.workdir, self.task.scoring) if self.scored else ()

    def statistics(self, lines: Lines) -> Statistics:
        """Return a system's statistics of the metric that ranks.

        Raises:
            NotMeasuredError: the metric cannot be computed here.
        """
        return statistics_of(self.texts(lines), self.task.scoring.metrics[0], self)


def statistics_of(texts: Texts, metric: str, context: ScoringContext) -> Statistics:
    """Return the statistics of a metric: sacrebleu's of BLEU and chrF, else the stored numbers by segment.

    Raises:
        NotMeasuredError: the metric cannot be computed here.
        UserError: it is no mean over segments.
    """
    if metric in {"BLEU", "chrF"}:
        return corpus_statistics(texts, metric)
    found = score_one(texts, metric, context.workdir, context.task.scoring)
    if not found.by_segment:
        raise UserError(f"{metric} has no numbers by segment, so systems cannot be tested by it: rank by another one.")
    return mean_statistics(metric, found.by_segment)


def ranked(
    rows: Sequence[Row], hypotheses: Mapping[str, str], where: tuple[Task, str, str], workdir: WorkDir
) -> tuple[Row, ...]:
    """Return the rows of our systems and of external ones, with intervals and clusters of the metric that ranks.

    Args:
        rows: our systems.
        hypotheses: artifact -> key of its translations.
        where: the task, name of the test set, direction.
        workdir: the store.
    """
    task, name, direction = where
    externals = load_external_hypotheses(name, direction, workdir)
    if not (rows or externals):
        return ()
    context = ScoringContext(task, _load(task, name, direction, workdir), direction, workdir)
    lines = [lines_of(load_hypotheses(workdir.hypotheses / hypotheses[row.artifact])) for row in rows]
    every = [*rows, *(external_row(made, context) for made in externals)]
    return tested(every, [*lines, *(made.lines for made in externals)], context) if context.scored else tuple(every)


def _load(task: Task, name: str, direction: str, workdir: WorkDir) -> TestSet:
    """Import a test set by its name, which may be that of a file that the task names."""
    entries = task.sets(direction)
    return load_test_set(next((entry for entry in entries if test_set_name(entry) == name), name), workdir)


def external_row(made: ExternalHypotheses, context: ScoringContext) -> Row:
    """Return the row of an external system: its size as declared, its scores as ours are made.

    Raises:
        UserError: no size was declared, or its lines cannot be scored.
    """
    if made.declared_bytes is None:
        raise UserError(f"{made.name} declares no size, so it has no place on the leaderboard: import it with one.")
    return Row(
        system=made.name,
        role=EXTERNAL,
        source=f"external, size as declared ({made.source.split()[0]})",
        artifact=made.artifact,
        bytes=made.declared_bytes,
        weights_bytes=None,
        fits=context.task.limit.admits(made.declared_bytes),
        scores=context.scores(made.lines),
        flags={str(flag): count for flag, count in flagged_texts(made.lines.texts, made.lines.target).counts.items()},
        declared=True,
    )


def tested(rows: Sequence[Row], lines: Sequence[Lines], context: ScoringContext) -> tuple[Row, ...]:
    """Return the rows with interval and cluster; as they are where the metric that ranks cannot be computed."""
    try:
        found = [context.statistics(one) for one in lines]
    except NotMeasuredError:
        return tuple(rows)
    return tuple(
        msgspec.structs.replace(row, cluster=cluster, interval=interval([one]))
        for row, one, cluster in zip(rows, found, clusters(found), strict=True)
    )
