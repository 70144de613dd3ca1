"""Fine-tuning runs: killed, stopped, repeated and refused."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from harness.cli.finetune import finetune_command
from harness.core.errors import UserError
from harness.core.files import sha256_of
from harness.core.locks import exclusive
from harness.core.workdir import WorkDir, open_workdir
from harness.finetune import FinetuneRecipe, FinetuneRequest, FinetuneResult, finetune
from harness.models.checkpoint import open_checkpoint
from tests.helpers.finetuning import RECIPE, with_training, write_manifest
from tests.helpers.tiny_model import TinyModel, write_tiny_model

RECIPE_TEXT = """format_version = 1
name = "toy"
source = "this test"
role = "finetuned"
prompt = "<|audio_bos|><|AUDIO|><|audio_eos|>Translate this speech to {target_lang}: \\n"
languages = { de = "German", zh = "Chinese" }
lora = { rank = 8, alpha = 16, dropout = 0.1, components = ["attention", "mlp"] }

[training]
batch_size = 3
learning_rate = 1e-2
warmup_ratio = 0.1
precision = "float32"
seed = 7
save_every = 5
max_steps = 30
"""
STEPS = 30
LONG = with_training(max_steps=STEPS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a bfloat16 base, a manifest and a recipe."""
    folder = tmp_path_factory.mktemp("place")
    write_tiny_model(folder / "base", TinyModel(datasets=("tiny-set",)))
    write_manifest(folder / "data")
    (folder / "toy.toml").write_text(RECIPE_TEXT)
    return folder


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> tuple[str, bytes]:
    """Return the sha256 of the merged weights and the log of losses of an undisturbed run."""
    return outcome(run(place, "undisturbed", LONG))


def run(place: Path, name: str, recipe: FinetuneRecipe = RECIPE) -> FinetuneResult:
    """Fine-tune into `place`/name with a work directory of the same name."""
    request = FinetuneRequest(place / "base", recipe, place / "data" / "manifest.jsonl", place / name)
    return finetune(request, open_workdir(str(place / f"{name}-work")))


def outcome(result: FinetuneResult) -> tuple[str, bytes]:
    """Return the sha256 of the merged weights and the log of losses."""
    return sha256_of(Path(result.path) / "model.safetensors"), Path(result.losses).read_bytes()


def start(place: Path, name: str) -> subprocess.Popen[str]:
    """Start the same run as a process."""
    command = [sys.executable, "-m", "harness", "finetune", "--checkpoint", str(place / "base")]
    command += ["--recipe", str(place / "toy.toml"), "--data", str(place / "data" / "manifest.jsonl")]
    command += ["--output", str(place / name), "--workdir", str(place / f"{name}-work")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_losses(place: Path, name: str, count: int, process: "subprocess.Popen[str]") -> None:
    """Wait until the run has logged that many steps."""
    while process.poll() is None:
        logs = list((place / f"{name}-work" / "finetune").glob("*/losses.jsonl"))
        if logs and logs[0].read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.002)
    pytest.fail(f"the run ended before step {count}: {process.communicate()[1]}")


def test_killed_run_ends_like_an_undisturbed_one(place: Path, undisturbed: tuple[str, bytes]) -> None:
    """Forbids that SIGKILL between two saved states changes a loss or a weight, or leaves an incomplete output."""
    process = start(place, "killed")
    wait_for_losses(place, "killed", 13, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (place / "killed").exists()
    assert outcome(run(place, "killed", LONG)) == undisturbed


def test_interrupted_run_is_one_sentence_and_resumable(place: Path, undisturbed: tuple[str, bytes]) -> None:
    """Forbids that Ctrl-C loses a finished step or shows a traceback."""
    process = start(place, "stopped")
    wait_for_losses(place, "stopped", 7, process)
    process.send_signal(signal.SIGINT)
    _, logged = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in logged
    assert logged.splitlines()[-1].startswith("harness: Stopped after step ")
    steps = len(next((place / "stopped-work" / "finetune").glob("*/losses.jsonl")).read_bytes().splitlines())
    assert f"after step {steps} of {STEPS}" in logged
    assert outcome(run(place, "stopped", LONG)) == undisturbed


@pytest.mark.usefixtures("undisturbed")
def test_provenance(place: Path) -> None:
    """Forbids an adapted checkpoint that hides its data sets, its base or its hyper-parameters, or changes types."""
    made = open_checkpoint(place / "undisturbed")
    assert made.datasets == ("tiny-set", "toy-train")
    assert {spec.dtype for spec in made.specs} == {"bfloat16"}
    training = json.loads((place / "undisturbed" / "training.json").read_text())
    base = open_checkpoint(place / "base")
    assert training["parent"] == base.fingerprint(place / "sums")
    assert (training["format_version"], training["role"], training["steps"]) == (1, "finetuned", STEPS)
    assert training["recipe"]["lora"]["rank"] == 8
    assert [file.name for file in made.companions] == [file.name for file in base.companions]


@pytest.mark.usefixtures("undisturbed")
def test_only_adapted_weights_change(place: Path) -> None:
    """Forbids that a tensor outside the named components changes by a bit, or that an adapted one does not."""
    base, made = open_checkpoint(place / "base"), open_checkpoint(place / "undisturbed")
    for spec in base.specs:
        adapted = spec.is_linear and spec.component in RECIPE.lora.components
        assert torch.equal(base.tensor(spec.name), made.tensor(spec.name)) is not adapted, spec.name


def test_second_call_does_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Forbids that a finished run is trained again, or that another run's output is overwritten."""
    first = run(place, "twice")
    stamp = (place / "twice" / "model.safetensors").stat().st_mtime_ns
    assert run(place, "twice") == first
    assert "already the result of this run" in capsys.readouterr().err
    assert (place / "twice" / "model.safetensors").stat().st_mtime_ns == stamp
    with pytest.raises(UserError, match="was not made by this run"):
        run(place, "twice", with_training(seed=8))


def test_lost_output_is_merged_again_without_training(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Forbids that a kill after the last step costs more than the merge."""
    first = outcome(run(place, "lost"))
    (place / "lost").rename(place / "moved")
    capsys.readouterr()
    assert outcome(run(place, "lost")) == first
    assert "Continuing after step 12 of 12" in capsys.readouterr().err


def test_diverging_run_stops(place: Path) -> None:
    """Forbids that NaN weights are trained on or published."""
    with pytest.raises(UserError, match="lower the recipe's learning rate"):
        run(place, "diverged", with_training(learning_rate=1e30, max_steps=30, max_grad_norm=1e30))
    assert not (place / "diverged").exists()


def test_only_one_process_trains_a_run(place: Path) -> None:
    """Forbids that two processes write the states of the same run."""
    result = run(place, "locked")
    (place / "locked").rename(place / "locked-before")
    locks = WorkDir(place / "locked-work").locks
    with (
        exclusive(Path(result.losses).parent, "is at work", locks),
        pytest.raises(UserError, match="Another process is running the same fine-tuning"),
    ):
        run(place, "locked")


def test_damaged_state_is_refused(place: Path) -> None:
    """Forbids resuming from a truncated state."""
    result = run(place, "damaged")
    (place / "damaged").rename(place / "damaged-before")
    state = Path(result.losses).parent / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(UserError, match="truncated"):
        run(place, "damaged")


def test_command_prints_json(place: Path, workdir: WorkDir) -> None:
    """Forbids anything but one JSON value on stdout."""
    text = RECIPE_TEXT.replace("max_steps = 30", "max_steps = 2")
    (place / "short.toml").write_text(text)
    arguments = ["--checkpoint", place / "base", "--recipe", place / "short.toml", "--output", place / "json", "--json"]
    arguments += ["--data", place / "data" / "manifest.jsonl", "--workdir", workdir.root]
    result = CliRunner().invoke(finetune_command, [str(argument) for argument in arguments], catch_exceptions=False)
    value = json.loads(result.stdout)
    assert (value["path"], value["steps"]) == (str(place / "json"), 2)
