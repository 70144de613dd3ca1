"""Scoring of systems on one test set in one direction, with the task's metrics."""

from dataclasses import dataclass

from harness.config.language_pair import target_language
from harness.config.task import Task
from harness.core.workdir import WorkDir
from harness.scoring.alignment import Lines, aligned
from harness.scoring.metric import Scored, Texts
from harness.scoring.score_store import score_texts
from harness.testsets.testset import TestSet


@dataclass(frozen=True)
class ScoringContext:
    """One test set in one direction (e.g. `en-de`) of a task, and the store of scores."""

    task: Task
    test_set: TestSet
    direction: str
    workdir: WorkDir

    @property
    def has_references(self) -> bool:
        """Whether the test set has references in this direction."""
        return target_language(self.direction) in self.test_set.references

    def texts(self, lines: Lines) -> Texts:
        """Return a system's lines with their references."""
        return aligned(lines, self.test_set, self.workdir, self.task.scoring)

    def scored(self, lines: Lines) -> tuple[Scored, ...]:
        """Return all of the task's metrics of a system's lines; none where the set has no references."""
        return score_texts(self.texts(lines), self.workdir, self.task.scoring) if self.has_references else ()
