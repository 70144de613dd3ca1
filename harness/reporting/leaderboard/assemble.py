"""From evaluations on disk to the leaderboard; needs no model."""

from collections.abc import Sequence

from harness.compression.artifact import Artifact
from harness.compression.registry import get_system
from harness.compression.size import SizeReport, measure, verdict
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.evaluation.evaluate import evaluation_path, read_evaluation
from harness.reporting.leaderboard.ranking import ranked
from harness.reporting.leaderboard.rows import Base, Leaderboard, Row, Section
from harness.testsets.load import test_set_name


def assemble_leaderboard(task: Task, artifacts: Sequence[Artifact], workdir: WorkDir) -> Leaderboard:
    """Collect the evaluations of these artifacts, one section per direction and test set.

    Raises:
        UserError: nothing was evaluated yet, or a stored evaluation does not read.
    """
    reports = {artifact.id: measure(artifact) for artifact in artifacts}
    sections = [
        Section(direction=direction, test_set=name, rows=rows)
        for direction in task.directions
        for name in map(test_set_name, task.sets(direction))
        if (rows := _rows(task, artifacts, reports, workdir, (name, direction)))
    ]
    if not sections:
        raise UserError(f"Nothing in {workdir.root} is evaluated yet: `harness run --stage evaluate` does that.")
    metrics = (*task.scoring.metrics, "cross-entropy")
    return Leaderboard(task=task.name, title=task.title, limit=task.limit, sections=tuple(sections), metrics=metrics)


def _rows(
    task: Task,
    artifacts: Sequence[Artifact],
    reports: dict[str, SizeReport],
    workdir: WorkDir,
    where: tuple[str, str],
) -> tuple[Row, ...]:
    bases = {a.manifest.role: reports[a.id] for a in artifacts if a.manifest.system == f"fp16-{a.manifest.role}"}
    rows, hypotheses = [], {}
    for artifact in artifacts:
        found = read_evaluation(evaluation_path(task, workdir, artifact, *where))
        if found is None:
            continue
        hypotheses[artifact.id] = found.hypotheses
        report, base = reports[artifact.id], bases.get(artifact.manifest.role)
        rows.append(
            Row(
                system=found.system,
                role=artifact.manifest.role,
                source=get_system(found.system).source,
                artifact=artifact.id,
                bytes=report.total,
                weights_bytes=report.weights,
                fits=verdict(report, task.limit),
                base=Base(base.system, base.total) if base else None,
                scores=found.scores,
                speed=found.speed,
                flags=found.flags,
            )
        )
    return ranked(rows, hypotheses, (task, *where), workdir)
