"""Two systems on one test set: every metric of the task, tested in both ways."""

import msgspec

from harness.calibration.system_artifacts import find_artifact
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.progress import log_once
from harness.core.workdir import WorkDir
from harness.evaluation.evaluate import evaluation_path, read_evaluation
from harness.inference.generation_store import load_hypotheses
from harness.reporting.leaderboard.ranking import ScoringContext, statistics_of
from harness.scoring.alignment import Lines, lines_of
from harness.scoring.metric import NotMeasuredError
from harness.scoring.significance import Comparison, approximate_randomisation, paired_bootstrap
from harness.testsets.load import load_test_set, test_set_name


class Tested(msgspec.Struct, frozen=True):
    """One metric.

    Attributes:
        metric: its name.
        one: name of the first system.
        other: name of the second system.
        bootstrap: first minus second, by paired bootstrap.
        randomisation: the same, by approximate randomisation.
    """

    metric: str
    one: str
    other: str
    bootstrap: Comparison
    randomisation: Comparison

    def __str__(self) -> str:
        gap = self.bootstrap.difference
        return (
            f"{self.metric:>5} {self.one} - {self.other}: {gap.value:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}], "
            f"p = {self.bootstrap.p_value:.4f} (bootstrap), {self.randomisation.p_value:.4f} (randomisation)"
        )


def compare(task: Task, systems: tuple[str, str], where: tuple[str, str], workdir: WorkDir) -> tuple[Tested, ...]:
    """Compare two evaluated systems; a metric that cannot be computed here is left out and said.

    Args:
        task: its metrics.
        systems: names of the systems.
        where: name of the test set, and the direction.
        workdir: the store.

    Raises:
        UserError: one is not built or not evaluated there, or the set has no references.
    """
    name, direction = where
    entry = next((entry for entry in task.sets(direction) if test_set_name(entry) == name), name)
    ground = ScoringContext(task, load_test_set(entry, workdir), direction, workdir)
    texts = [ground.texts(_lines(task, system, ground)) for system in systems]
    found = []
    for metric in task.scoring.metrics:
        try:
            one, other = (statistics_of(each, metric, ground) for each in texts)
        except NotMeasuredError as error:
            log_once(f"{metric} is not measured: {error}")
            continue
        tests = paired_bootstrap([one], [other]), approximate_randomisation(one, other)
        found.append(Tested(metric, *systems, *tests))
    return tuple(found)


def _lines(task: Task, system: str, ground: ScoringContext) -> Lines:
    artifact = find_artifact(task, system, ground.workdir)
    path = evaluation_path(task, ground.workdir, artifact, ground.test_set.name, ground.direction)
    evaluation = read_evaluation(path)
    if evaluation is None:
        raise UserError(
            f"{system} is not evaluated on {ground.test_set.name} in {ground.direction} yet: "
            f"`harness run --stage evaluate --system {system}` does that."
        )
    return lines_of(load_hypotheses(ground.workdir.hypotheses / evaluation.hypotheses))
