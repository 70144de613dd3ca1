"""Two systems on one test set: every metric of the task, tested by both methods."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.compression.artifact import open_artifact
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.progress import log_once
from harness.core.workdir import WorkDir
from harness.evaluation.evaluation_store import Evaluation, load_evaluations, require_same_test_set
from harness.scoring.metric import get_metric
from harness.scoring.significance import Comparison, approximate_randomisation, paired_bootstrap


class Tested(msgspec.Struct, frozen=True):
    """System `one` minus system `other` in one metric, tested by paired bootstrap and approximate randomisation."""

    metric: str
    one: str
    other: str
    bootstrap: Comparison
    randomisation: Comparison
    form: str = ".2f"  # of printed values

    def __str__(self) -> str:
        gap = self.bootstrap.difference
        value, low, high = (format(each, f"+{self.form}") for each in (gap.value, gap.low, gap.high))
        return (
            f"{self.metric:>5} {self.one} - {self.other}: {value} [{low}, {high}], "
            f"p = {self.bootstrap.p_value:.4f} (bootstrap), {self.randomisation.p_value:.4f} (randomisation)"
        )


def compare(task: Task, systems: tuple[str, str], where: tuple[str, str], workdir: WorkDir) -> tuple[Tested, ...]:
    """Compare two evaluated systems by the task's metrics; one not measured for both is left out and logged.

    Systems are names of systems or imports, or paths of artifacts; `where` is the name of a test set, and a direction.

    Raises:
        UserError: a system is not evaluated there, or the set has no references.
    """
    evaluations = load_evaluations(task, workdir)
    found = [_evaluation(evaluations, name, where, workdir) for name in systems]
    require_same_test_set(found)
    tested = []
    for name in task.scoring.metrics:
        one, other = (each.statistics(name, task) for each in found)
        if one is None or other is None:
            log_once(f"{name} was not measured of both systems on {where[0]} and is left out.")
            continue
        tests = paired_bootstrap([one], [other]), approximate_randomisation(one, other)
        tested.append(Tested(name, *systems, *tests, get_metric(name, task.scoring).scale.form))
    if not tested:
        raise UserError(
            f"{where[0]} has no references in {where[1]}, or none of the task's metrics was measured on it."
        )
    return tuple(tested)


def _evaluation(evaluations: Sequence[Evaluation], name: str, where: tuple[str, str], workdir: WorkDir) -> Evaluation:
    artifact = open_artifact(Path(name), workdir.cache).id if Path(name).is_dir() else ""
    for each in evaluations:
        if (each.test_set, each.direction) == where and (each.artifact == artifact or each.system == name):
            return each
    raise UserError(
        f"{name} is not evaluated on {where[0]} in {where[1]} yet: `harness run --stage evaluate --system {name}` "
        "does that."
    )
