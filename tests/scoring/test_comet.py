"""COMET: a real, tiny checkpoint in the published layout, against unbabel-comet's own command line."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest

from harness.config.scoring import Comet, Scoring
from harness.core.errors import UserError
from harness.core.files import sha256_of, write_json
from harness.core.workdir import WorkDir
from harness.scoring import comet_process
from harness.scoring.metric import NotMeasuredError, Texts, get_metric
from harness.scoring.metrics.comet import model_name
from harness.scoring.score_store import score, score_one, score_texts
from tests.helpers.tiny_comet import write_tiny_comet
from tests.helpers.translations import make_hypotheses, make_test_set

needs_comet = pytest.mark.skipif(find_spec("comet") is None, reason="unbabel-comet is not installed")
TEXTS = Texts(
    hypotheses=("wir messen", "danke schön, danke", "", "das modell hört zu"),
    references=("wir messen die größe", "danke", "ja.", "das modell hört"),
    sources=("we measure the size", "thank you", "yes.", "the model hears"),
    target="de",
    made_by="made",
)


@pytest.fixture(scope="session")
def tiny_comet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny COMET checkpoint."""
    return write_tiny_comet(tmp_path_factory.mktemp("comet"))


def settings(root: Path, trusted: str = "") -> Scoring:
    """Return a task's settings with this checkpoint."""
    return Scoring(metrics=("BLEU", "COMET"), comet=Comet(checkpoint=str(root), batch_size=3, trusted_sha256=trusted))


def comet_score(root: Path) -> list[float]:
    """Return what comet-score says of `TEXTS`."""
    columns = {"src": TEXTS.sources or (), "mt": TEXTS.hypotheses, "ref": TEXTS.references}
    for name, lines in columns.items():
        (root / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    files = ["-s", "src", "-t", "mt", "-r", "ref", "--to_json", "out.json", "--model", "checkpoints/model.ckpt"]
    command = [str(Path(sys.executable).with_name("comet-score")), *files, "--gpus", "0", "--batch_size", "3"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    return [row["COMET"] for row in json.loads((root / "out.json").read_text("utf-8"))["mt"]]


@needs_comet
def test_scores_are_comet_scores(tiny_comet: Path, workdir: WorkDir) -> None:
    """Forbids other numbers than comet-score's for the same triples, batch and checkpoint, loaded offline."""
    chosen = settings(tiny_comet)
    found = score_one(TEXTS, "COMET", workdir, chosen)
    theirs = comet_score(tiny_comet)
    assert len(set(theirs)) == len(theirs)
    assert [ours / 100 for ours, _ in found.statistics] == pytest.approx(theirs, abs=1e-7)
    assert found.score.value == pytest.approx(100 * sum(theirs) / len(theirs), abs=1e-5)
    sha256 = sha256_of(tiny_comet / "checkpoints" / "model.ckpt")
    assert found.score.signature.startswith(
        f"COMET|model:wmt22-comet-da@{sha256[:12]}|batch:3|float16|unbabel-comet:2."
    )
    assert found.score.signature.endswith("|device:cpu|made")
    assert score_one(TEXTS, "COMET", workdir, chosen) == found


@needs_comet
def test_a_second_checkpoint_is_a_metric_of_its_own(tiny_comet: Path, workdir: WorkDir, tmp_path: Path) -> None:
    """Forbids that two checkpoints share a name, a stored score or a process, and that a further one needs code."""
    other = write_tiny_comet(tmp_path / "other", seed=8)
    further = Comet(checkpoint=str(other), hub="Unbabel/XCOMET-XL", batch_size=3)
    chosen = msgspec.structs.replace(
        settings(tiny_comet), metrics=("COMET", "XCOMET", "BLEU"), comets={"XCOMET": further}
    )
    found = {scored.score.metric: scored.score for scored in score_texts(TEXTS, workdir, chosen)}
    assert list(found) == ["COMET", "XCOMET", "BLEU"]
    theirs = comet_score(other)
    assert found["XCOMET"].value == pytest.approx(100 * sum(theirs) / len(theirs), abs=1e-5)
    assert found["XCOMET"].value != pytest.approx(found["COMET"].value, abs=1e-3)
    sha256 = sha256_of(other / "checkpoints" / "model.ckpt")
    assert found["XCOMET"].signature.startswith(f"XCOMET|model:XCOMET-XL@{sha256[:12]}|batch:3|")
    assert get_metric("XCOMET", chosen).scale.name == "XCOMET"
    assert get_metric("XCOMET", chosen).needs == get_metric("COMET", chosen).needs


@needs_comet
def test_a_checkpoint_with_more_than_weights_is_refused_until_trusted(tiny_comet: Path, workdir: WorkDir) -> None:
    """Forbids running a pickle's code unasked, and a refusal that names neither the class nor the way out."""
    root = tiny_comet / "unsafe"
    sha256 = sha256_of(root / "checkpoints" / "model.ckpt")
    with pytest.raises(UserError, match=rf'argparse\.Namespace.*trusted_sha256 = "{sha256}"'):
        score_one(TEXTS, "COMET", workdir, settings(root, trusted="0" * 64))
    assert len(score_one(TEXTS, "COMET", workdir, settings(root, sha256)).statistics) == 4


@needs_comet
def test_a_file_that_is_no_checkpoint_is_one_sentence(tmp_path: Path, workdir: WorkDir) -> None:
    """Forbids a traceback, or a wait without end, when the checkpoint is damaged or its settings call for objects."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "model.ckpt").write_bytes(b"no zip, no pickle")
    (tmp_path / "hparams.yaml").write_text("class_identifier: regression_metric\n")
    with pytest.raises(UserError, match="COMET cannot use"):
        score_one(TEXTS, "COMET", workdir, settings(tmp_path))
    (tmp_path / "hparams.yaml").write_text("a: !!python/name:os.system\n")
    (tmp_path / "checkpoints" / "model.ckpt").write_bytes(b"another sum")
    with pytest.raises(UserError, match="ConstructorError"):
        score_one(TEXTS, "COMET", workdir, settings(tmp_path))


def test_without_checkpoint_the_other_metrics_stand(
    tmp_path: Path, workdir: WorkDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forbids a number, a failure or silence where COMET cannot be measured."""
    references = ("Das ist ein kleiner Satz.", "Und das ist noch einer.")
    test_set = make_test_set({"de": references}, lines=2)
    (only,) = score(make_hypotheses(references), test_set, workdir, settings(tmp_path / "nowhere"))
    assert only.metric == "BLEU"
    said = capsys.readouterr().err
    assert said.startswith("COMET is not measured: ")
    assert said.count("\n") == 1
    score(make_hypotheses(references), test_set, workdir, settings(tmp_path / "nowhere"))
    assert capsys.readouterr().err == ""
    with pytest.raises(NotMeasuredError, match=r"\[scoring.comet\]"):
        get_metric("COMET", Scoring()).configure(Scoring(), "COMET")


@needs_comet
def test_comet_without_sources_is_refused(tiny_comet: Path, workdir: WorkDir) -> None:
    """Forbids COMET over invented or empty source sentences."""
    with pytest.raises(NotMeasuredError, match=r"\[scoring.comet.sources\]"):
        score_one(msgspec.structs.replace(TEXTS, sources=None), "COMET", workdir, settings(tiny_comet))


def test_an_interpreter_without_comet_is_named(
    tmp_path: Path, workdir: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids a traceback when the configured interpreter lacks unbabel-comet or is none."""
    write_json(tmp_path / "hparams.yaml", {})
    write_json(tmp_path / "checkpoints" / "model.ckpt", {})
    monkeypatch.setenv(comet_process.VARIABLE, "/bin/false")
    with pytest.raises(NotMeasuredError, match=r"/bin/false has no unbabel-comet.*HARNESS_COMET_PYTHON"):
        score_one(TEXTS, "COMET", workdir, settings(tmp_path))


def test_the_card_names_the_model(tmp_path: Path) -> None:
    """Forbids that the demo's model goes by the name of a published one."""
    chosen = Comet(checkpoint=str(tmp_path), hub="Unbabel/wmt22-comet-da")
    assert model_name(chosen) == "wmt22-comet-da"
    write_json(tmp_path / "card.json", {"name": "demo-comet"})
    assert model_name(chosen) == "demo-comet"
