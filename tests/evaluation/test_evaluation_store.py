"""Evaluations: complete, bound to what they claim, and all that reports need."""

import shutil
from pathlib import Path

import msgspec
import pytest
import torch

from harness.compression.registry import get_system
from harness.config.task import Limit, Task, load_task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir, open_workdir
from harness.evaluation.evaluation_store import (
    EVALUATIONS,
    EXTERNAL,
    EvaluatedSize,
    evaluation_entry,
    load_evaluations,
    settings_key,
)
from harness.pipeline.main_job import Job, build_stage, evaluate_stage, leaderboard_stage
from harness.reporting.ladder import measure_ladder, render_markdown
from harness.reporting.leaderboard import write_leaderboard
from harness.reporting.leaderboard.assemble import assemble_leaderboard
from harness.reporting.system_comparison import compare
from tests.helpers.tiny_task import write_tiny_task

SYSTEMS = ("fp16-finetuned", "hqq4")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Job]:
    """Return the folder of a tiny task and its job, built and evaluated."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("evaluations")
    task = load_task(str(write_tiny_task(folder / "task")))
    job = Job(task, tuple(map(get_system, SYSTEMS)), open_workdir(str(folder / "work")))
    assert not build_stage(job).failures
    assert not evaluate_stage(job).failures
    return folder, job


@pytest.fixture
def copied(finished: tuple[Path, Job], tmp_path: Path) -> Job:
    """Return the job with a copy of its work directory that a test may change."""
    _, job = finished
    shutil.copytree(job.workdir.root, tmp_path / "work")
    return Job(job.task, job.systems, WorkDir(tmp_path / "work"))


def reports(task: Task, job: Job, folder: Path) -> list[object]:
    """Return the bytes of every file of the leaderboard, the ladder and a comparison."""
    files = [path.read_bytes() for path in write_leaderboard(leaderboard_stage(job), folder)]
    ladder = render_markdown(measure_ladder(task, "tiny-set", load_evaluations(task, job.workdir)))
    return [*files, ladder, compare(task, (SYSTEMS[0], SYSTEMS[1]), ("tiny-set", "en-de"), job.workdir)]


def test_reports_need_nothing_but_evaluations(finished: tuple[Path, Job], tmp_path: Path) -> None:
    """Forbids that ranking needs audio, test sets, translations, scores, checkpoints or artifacts."""
    folder, job = finished
    before = reports(job.task, job, tmp_path / "before")
    moved = tmp_path / "work"
    shutil.copytree(job.workdir.evaluations, moved / "evaluations")
    hidden = folder.with_name(f"{folder.name}-hidden")
    folder.rename(hidden)  # the task's profile, test sets, audio and checkpoints, and every other stored result
    try:
        after = reports(job.task, Job(job.task, job.systems, WorkDir(moved)), tmp_path / "after")
    finally:
        hidden.rename(folder)
    assert len(before) == 6
    assert after == before


def test_an_edited_evaluation_is_refused(copied: Job) -> None:
    """Forbids that a number which was changed by hand is ranked."""
    path = next(copied.workdir.evaluations.glob("hqq4-*.json"))
    path.write_text(path.read_text().replace('"higher"', '"x"').replace('"value":', '"value": '))
    assert load_evaluations(copied.task, copied.workdir)  # white space is no change of the value
    path.write_text(path.read_text().replace('"test_set":"tiny-set"', '"test_set":"other-set"', 1))
    with pytest.raises(UserError, match="evaluate again"):
        load_evaluations(copied.task, copied.workdir)


def test_other_settings_have_other_evaluations(copied: Job) -> None:
    """Forbids that translations made with other settings are ranked as the task's."""
    role = msgspec.structs.replace(copied.task.role("finetuned"), prompt=next(iter(copied.task.prompts)))
    decoding = msgspec.structs.replace(role.decoding, max_new_tokens=role.decoding.max_new_tokens + 1)
    changed = msgspec.structs.replace(role, decoding=decoding)
    task = msgspec.structs.replace(copied.task, roles={**copied.task.roles, "finetuned": changed})
    assert len(load_evaluations(copied.task, copied.workdir)) == 4
    assert load_evaluations(task, copied.workdir) == ()


def test_the_present_artifact_counts(copied: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """Forbids two rows for one system, and a row of an artifact that was built from other weights before."""
    made = next(e for e in load_evaluations(copied.task, copied.workdir) if e.system == "hqq4")
    older = msgspec.structs.replace(made, artifact="0" * 64)
    system, where = ("hqq4", made.role, older.artifact), (made.test_set, made.direction)
    evaluation_entry(copied.task, copied.workdir, system, where).write(older)
    found = [e for e in load_evaluations(copied.task, copied.workdir) if e.system == "hqq4"]
    assert {e.artifact for e in found} == {made.artifact}
    assert "several artifacts" in capsys.readouterr().err


def test_evaluations_of_different_references_are_not_compared(copied: Job) -> None:
    """Forbids that a system scored against other references is ranked with, or tested against, the others."""
    found = load_evaluations(copied.task, copied.workdir)
    changed = [msgspec.structs.replace(found[0], test_set_key="0" * 64), *found[1:]]
    with pytest.raises(UserError, match="tiny-set changed between the evaluations of fp16-finetuned and hqq4"):
        assemble_leaderboard(copied.task, changed)
    with pytest.raises(UserError, match="tiny-set changed between the evaluations"):
        measure_ladder(copied.task, "tiny-set", changed)


def test_an_import_does_not_replace_a_system_of_its_name(copied: Job) -> None:
    """Forbids that translations imported under a registered name take the row of the measured system."""
    made = next(e for e in load_evaluations(copied.task, copied.workdir) if e.system == "hqq4")
    where = (made.test_set, made.direction)
    settings = settings_key(copied.task, EXTERNAL, made.direction)
    external = msgspec.structs.replace(made, role=EXTERNAL, artifact="external:1", settings=settings)
    evaluation_entry(copied.task, copied.workdir, ("hqq4", EXTERNAL, "external:1"), where).write(external)
    rows = [e for e in load_evaluations(copied.task, copied.workdir) if (e.test_set, e.direction) == where]
    assert [(e.role, e.artifact) for e in rows if e.system == "hqq4"] == [
        (made.role, made.artifact), (EXTERNAL, "external:1"),
    ]  # fmt: skip


def test_the_size_that_counts_is_the_limits() -> None:
    """Forbids a verdict by all files where the weights count, and by nothing where they are not known."""
    size = EvaluatedSize(total=100, weights=80)
    assert size.admitted_by(Limit(bytes=101))
    assert not size.admitted_by(Limit(bytes=100))
    assert size.admitted_by(msgspec.convert({"bytes": 90, "counts": "weights"}, Limit))
    assert not EvaluatedSize(total=100).admitted_by(msgspec.convert({"bytes": 90, "counts": "weights"}, Limit))


def test_what_tests_need_is_stored(finished: tuple[Path, Job]) -> None:
    """Forbids an evaluation without the statistics of a metric, by segment."""
    _, job = finished
    for _, each in EVALUATIONS.open_all(job.workdir.evaluations):
        assert [one.score.metric for one in each.scored] == ["BLEU", "chrF", "cross-entropy"]
        for one in each.scored:
            found = each.statistics(one.score.metric, job.task)
            assert found is not None
            assert len(found.rows) == one.score.segments == 3
            assert found.score == pytest.approx(one.score.value, abs=1e-9)
