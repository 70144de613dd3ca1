"""harness run: the main job on a tiny task, from checkpoint to leaderboard."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.compression.registry import get_system
from harness.config.task import load_task
from harness.core.workdir import WorkDir, open_workdir
from harness.pipeline.main_job import Job, build_stage, evaluate_stage, leaderboard_stage
from tests.helpers.command_line import call
from tests.helpers.tiny_task import SENTENCES, write_tiny_task

SYSTEMS = ("fp16-finetuned", "hqq4")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("tiny")
    task = load_task(str(write_tiny_task(folder)))
    done = Job(task, tuple(map(get_system, SYSTEMS)), open_workdir(str(folder / "work")))
    assert build_stage(done).failures == ()
    assert evaluate_stage(done).failures == ()
    return done


def test_every_system_has_a_row_in_every_direction(job: Job) -> None:
    """Forbids that an evaluated system is missing from the leaderboard, or a score without its number of segments."""
    board = leaderboard_stage(job)
    assert [(s.direction, sorted(r.system for r in s.rows)) for s in board.sections] == [
        ("en-de", sorted(SYSTEMS)),
        ("en-zh", sorted(SYSTEMS)),
    ]
    for row in (row for section in board.sections for row in section.rows):
        assert {score.metric for score in row.scores} == {"BLEU", "chrF", "cross-entropy"}
        assert all(score.segments == len(SENTENCES) and row.artifact in score.signature for score in row.scores)
        assert row.base is not None
        assert row.base.system == "fp16-finetuned"


def test_sizes_on_the_leaderboard_are_the_bytes_of_the_directories(job: Job) -> None:
    """Forbids an estimated size in a report; the second source is `find`."""
    rows = {row.system: row.bytes for row in leaderboard_stage(job).sections[0].rows}
    for name in SYSTEMS:
        (folder,) = job.workdir.artifacts.glob(f"{name}-*[0-9a-f]")
        found = subprocess.run(["find", folder, "-type", "f", "-printf", "%s\\n"], capture_output=True, check=True)
        assert rows[name] == sum(map(int, found.stdout.split()))


def test_a_second_run_loads_no_model(job: Job) -> None:
    """Forbids that a run in which nothing changed imports torch, and that it gives other files than the first."""
    arguments = ["run", "--task", str(job.workdir.root.parent / "tiny.toml"), "--workdir", str(job.workdir.root)]
    for stage in ("build", "evaluate", "leaderboard"):
        arguments += ["--stage", stage]
    for name in SYSTEMS:
        arguments += ["--system", name]
    code = (
        "import sys, harness.cli.main as m\n"
        "try: m.main()\n"
        "except SystemExit as e: print('exit', e.code, file=sys.stderr)\n"
        "print({'torch', 'transformers'} & set(sys.modules), file=sys.stderr)"
    )
    before = _evaluations(job.workdir)
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert "exit 0" in done.stderr
    assert done.stderr.rstrip().endswith("set()")
    assert _evaluations(job.workdir) == before


def _evaluations(workdir: WorkDir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in workdir.evaluations.iterdir()}


def test_one_broken_system_does_not_stop_the_others(tmp_path: Path) -> None:
    """Forbids that a missing checkpoint of one role stops the whole job, or is not reported."""
    profile = write_tiny_task(tmp_path)
    gone = '[roles.instruct]\ncheckpoint = "nowhere"\nprompt = "base"\ndirections = ["en-de"]\n'
    gone += "decoding = { batch_size = 2, max_new_tokens = 4 }\n"
    profile.write_text(profile.read_text().replace("[names]", gone + "[names]"))
    systems = (get_system("fp16-instruct"), get_system("fp16-finetuned"))
    built = build_stage(Job(load_task(str(profile)), systems, open_workdir(str(tmp_path / "work"))))
    assert [size.system for size in built.sizes] == ["fp16-finetuned"]
    assert [failure.system for failure in built.failures] == ["fp16-instruct"]
    assert "nowhere" in built.failures[0].reason


def test_the_limit_decides_the_exit_code_of_size(tmp_path: Path) -> None:
    """Forbids that a model over the limit passes, and one under it fails."""
    common = ["--task", write_tiny_task(tmp_path), "--workdir", tmp_path / "work", "--json"]
    for verb, limit, code in (("build", "1GB", 0), ("size", "1GB", 0), ("size", "1kB", 1)):
        assert call(verb, "hqq4", *common, "--limit", limit).code == code


def test_a_failure_is_part_of_the_one_json_value(tmp_path: Path) -> None:
    """Forbids that a system's failure leaves no JSON value, or the exit code 0."""
    profile = write_tiny_task(tmp_path)
    (tmp_path / "checkpoint" / "model.safetensors").unlink()
    common = ["--task", profile, "--workdir", tmp_path / "work", "--json"]
    done = call("run", "--stage", "build", "--system", "hqq4", *common)
    assert done.code == 2
    (failure,) = json.loads(done.out)["build"]["failures"]
    assert failure["system"] == "hqq4"
    assert failure["reason"] in done.err


def test_parallel_work_gives_the_same_artifacts_and_scores(tmp_path: Path) -> None:
    """Forbids that several processes give other artifacts or translations than one process."""
    task = load_task(str(write_tiny_task(tmp_path)))
    systems = tuple(map(get_system, ("fp16-finetuned", "hqq8", "hqq4")))
    results = []
    for jobs in (1, 2):
        job = Job(task, systems, open_workdir(str(tmp_path / f"work{jobs}")), jobs=jobs)
        sizes = build_stage(job).sizes
        evaluations = evaluate_stage(job).evaluations
        results.append((sizes, [(e.system, e.artifact, e.direction, e.hypotheses, e.scores) for e in evaluations]))
    assert results[0] == results[1]
