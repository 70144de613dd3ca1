"""harness.reporting.paper_tables.result_index: what artifacts and evaluations on disk say."""

import json
from pathlib import Path

import pytest
import safetensors.torch

from harness.calibration.system_artifacts import build_system
from harness.cli.main import group
from harness.compression.artifact import Artifact
from harness.compression.registry import get_system
from harness.config.task import Task, load_task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir, open_workdir
from harness.evaluation.evaluation_store import EvaluatedSize, Evaluation, evaluation_entry, settings_key
from harness.reporting.leaderboard import SpeedSummary
from harness.reporting.paper_tables import ResultIndex
from harness.reporting.paper_tables.published import Measure
from harness.scoring.metric import Score, Scored
from tests.helpers.tiny_task import write_tiny_task


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_task(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def task(profile: Path) -> Task:
    return load_task(str(profile))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> WorkDir:
    return open_workdir(str(tmp_path_factory.mktemp("work")))


@pytest.fixture(scope="module")
def artifact(task: Task, shared: WorkDir) -> Artifact:
    """Build hqq4 and write an evaluation of it by hand, in one direction."""
    built = build_system(task, get_system("hqq4"), shared)
    made = Evaluation(
        system="hqq4",
        role="finetuned",
        source="by hand",
        artifact=built.id,
        settings=settings_key(task, "finetuned", "en-de"),
        test_set="tiny-set",
        test_set_key="5" * 64,
        direction="en-de",
        hypotheses="0" * 64,
        scored=(
            Scored(Score("BLEU", 12.25, "x 100", "BLEU|toy", 3)),
            Scored(Score("COMET", 71.5, "x 100", "COMET|toy", 3)),
        ),
        size=EvaluatedSize(1, 1),
        speed=SpeedSummary(seconds_per_item=0.125, segments_per_second=9.0, peak_mib=100.0, signature="toy"),
        flags={},
    )
    evaluation_entry(task, shared, ("hqq4", "finetuned", built.id), ("tiny-set", "en-de")).write(made)
    return built


def test_scores_and_speed_are_the_evaluations(task: Task, shared: WorkDir, artifact: Artifact) -> None:
    """Forbids the number of another metric or direction; en-zh was not evaluated."""
    assert artifact.manifest.system == "hqq4"
    results = ResultIndex(task, shared)
    assert results.test_set("en-de") == "tiny-set"
    where = ("en-de", "tiny-set")
    found = [results.value("hqq4", kind, *where) for kind in (Measure.BLEU, Measure.COMET, Measure.SECONDS)]
    assert found == [12.25, 71.5, 0.125]
    assert results.value("hqq4", Measure.BLEU, "en-zh", "tiny-set") is None
    assert results.value("hqq4", Measure.BLEU, "en-de", "ACL6060") is None


def test_sizes_are_the_bytes_on_disk(task: Task, shared: WorkDir, artifact: Artifact) -> None:
    """Forbids other bytes than the files', and linear layers without biases or with norms, convolutions, embedding.

    The tensors are read by the reference library; linear layers of the tiny model by name: projections, fc1, fc2, head.
    """
    tensors = [safetensors.torch.load_file(path) for path in artifact.path.glob("weights/*.safetensors")]
    marks = ("_proj.", ".fc1.", ".fc2.", "lm_head", "projector.linear")
    linear = sum(t.nbytes for file in tensors for name, t in file.items() if any(mark in name for mark in marks))
    total = sum(path.stat().st_size for path in artifact.path.rglob("*") if path.is_file())
    results = ResultIndex(task, shared)
    assert results.value("hqq4", Measure.LINEAR_LAYERS, "", "") == linear
    assert results.value("hqq4", Measure.ALL_FILES, "", "") == total


def test_systems_without_artifact_are_noted_not_fatal(task: Task, shared: WorkDir) -> None:
    """Forbids that a system which is not built, not registered, or of a role that the task lacks stops a table."""
    results = ResultIndex(task, shared)
    for name in ("hqq8", "no-such-system", "fp16-instruct"):
        assert results.value(name, Measure.ALL_FILES, "", "") is None
    assert "is not built yet" in results.absent["hqq8"]
    assert "No system is named" in results.absent["no-such-system"]
    assert "has no role 'instruct'" in results.absent["fp16-instruct"]


def test_a_broken_evaluation_is_no_missing_one(task: Task, tmp_path: Path) -> None:
    """Forbids that a damaged file passes for a system that was not evaluated."""
    workdir = open_workdir(str(tmp_path))
    built = build_system(task, get_system("hqq4"), workdir)
    path = evaluation_entry(task, workdir, ("hqq4", "finetuned", built.id), ("tiny-set", "en-de")).path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    with pytest.raises(UserError, match="is not valid JSON"):
        ResultIndex(task, workdir).value("hqq4", Measure.BLEU, "en-de", "tiny-set")


def test_the_command_prints_one_json_value(
    profile: Path, shared: WorkDir, artifact: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forbids talk in the data, and a command that shows other numbers than the results."""
    arguments = ["tables", "diet-kit-1", "--task", str(profile), "--workdir", str(shared.root), "--json"]
    group.main(arguments, standalone_mode=False)
    said = capsys.readouterr()
    (table,) = json.loads(said.out)
    row = next(row for row in table["rows"] if row["systems"] == ["hqq4"])
    assert [cell["ours"]["value"] for cell in row["cells"][:2]] == [12.25, 71.5]
    assert row["cells"][1]["published"]["value"] == 74.0
    assert artifact.manifest.system not in table["absent"]
    assert "since there is no artifact" in said.err
