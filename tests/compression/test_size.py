"""harness.compression.size: the reported size is that of the files on disk."""

import shutil
import subprocess
from pathlib import Path

import pytest
import safetensors.torch

from harness.compression.artifact import Artifact
from harness.compression.build import build
from harness.compression.codecs.base import Certainty
from harness.compression.size import SizeReport, measure, render, verdict
from harness.config.task import Counted, Limit
from harness.core.errors import UserError
from harness.core.workdir import open_workdir
from harness.models.checkpoint import Checkpoint, open_checkpoint
from tests.helpers.recipes import plan_for


@pytest.fixture(scope="module", params=["raw", "hqq4", "int8"])
def built(
    request: pytest.FixtureRequest, tiny_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> Artifact:
    workdir = open_workdir(str(tmp_path_factory.mktemp("work")))
    return build(tiny_checkpoint, plan_for(tiny_checkpoint, request.param), "untuned", workdir)


def test_total_is_what_find_finds(built: Artifact) -> None:
    """Forbids a total that differs from the byte sum of the directory's files by one byte."""
    command = ["find", str(built.path), "-type", "f", "-printf", "%s\n"]
    sizes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert measure(built).total == sum(map(int, sizes))


def test_weights_are_the_tensors_bytes(built: Artifact) -> None:
    """Forbids counting headers as weights: the reference library's tensors are summed."""
    tensors = [safetensors.torch.load_file(path) for path in built.path.glob("weights/*.safetensors")]
    assert measure(built).weights == sum(t.nbytes for file in tensors for t in file.values())


def test_planned_size_is_the_measured_size(built: Artifact) -> None:
    """Forbids that an exact plan and the built artifact disagree."""
    size = built.manifest.plan.size
    assert size.certainty is Certainty.EXACT
    assert size.bytes == measure(built).weights


def test_shares_add_up(built: Artifact) -> None:
    """Forbids a component that is left out or counted twice; the tokenizer's share is that of its files."""
    report = measure(built)
    shares = {share.component: share.bytes for share in report.shares}
    assert sum(shares.values()) == report.total
    assert list(shares) == [
        "embedding", "head", "attention", "mlp", "audio tower", "projector", "norm", "metadata", "tokenizer",
    ]  # fmt: skip
    names = ("merges.txt", "vocab.json", "tokenizer", "special_tokens", "chat_template", "added_tokens")
    files = [path for path in built.path.iterdir() if path.name.startswith(names)]
    assert shares["tokenizer"] == sum(path.stat().st_size for path in files)


def test_shares_of_an_uncompressed_model(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Forbids attributing bytes to a wrong component: two bytes per weight, counted by hand from the tiny sizes."""
    workdir = open_workdir(str(tmp_path))
    report = measure(build(tiny_checkpoint, plan_for(tiny_checkpoint, "raw"), "untuned", workdir))
    shares = {share.component: share.bytes for share in report.shares}
    assert shares["embedding"] == shares["head"] == 2 * 320 * 64
    assert shares["attention"] == 2 * 2 * (4 * 64 * 64 + 3 * 64)  # two layers; q, k and v have biases
    assert shares["mlp"] == 2 * 2 * 3 * 64 * 128
    assert shares["norm"] == 2 * (2 * 2 + 1) * 64
    assert shares["projector"] == 2 * (64 * 64 + 64)


def test_a_file_added_since_is_found(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    """Forbids reporting a directory that is no longer the artifact that was opened."""
    artifact = build(tiny_checkpoint, plan_for(tiny_checkpoint, "raw"), "untuned", open_workdir(str(tmp_path)))
    (artifact.path / "notes.txt").write_text("extra")
    with pytest.raises(UserError, match="changed while its size was measured"):
        measure(artifact)


REPORT = SizeReport(system="s", artifact="0" * 64, parameters=3, total=4_294_967_296, weights=4_000_000_000, shares=())


@pytest.mark.parametrize(
    ("limit", "admitted"),
    [
        pytest.param(Limit(bytes=4_294_967_296, strict=True), False, id="equal-strict"),
        pytest.param(Limit(bytes=4_294_967_297, strict=True), True, id="one-below-strict"),
        pytest.param(Limit(bytes=4_294_967_296, strict=False), True, id="equal-not-strict"),
        pytest.param(Limit(bytes=4_294_967_295, strict=False), False, id="one-above"),
        pytest.param(Limit(bytes=4_000_000_001, counts=Counted.WEIGHTS), True, id="weights-count"),
        pytest.param(Limit(bytes=4_000_000_000, counts=Counted.WEIGHTS), False, id="weights-equal-strict"),
    ],
)
def test_verdict_at_the_limit(limit: Limit, admitted: bool) -> None:
    """Forbids a verdict that is off by one byte, or that counts what the task does not count."""
    assert verdict(REPORT, limit) is admitted
    assert ("PASS" in render(REPORT, limit)) is admitted
    assert ("FAIL" in render(REPORT, limit)) is not admitted


def test_text_gives_bytes_gb_and_gib() -> None:
    """Forbids a report that leaves the unit open: 4 GiB is 4.295 GB."""
    text = render(REPORT, Limit(bytes=4_000_000_000))
    assert "4,294,967,296 bytes  4.295 GB, 4.000 GiB" in text
    assert "4,000,000,000 bytes  4.000 GB, 3.725 GiB" in text
    assert "FAIL: 294,967,296 bytes over" in text


def test_aliases_weigh_nothing(tiny_directory: Path, tmp_path: Path) -> None:
    """Forbids counting a tensor twice that is stored once."""

    copy = shutil.copytree(tiny_directory, tmp_path / "copy")
    tensors = safetensors.torch.load_file(copy / "model.safetensors")
    tensors["language_model.lm_head.weight"] = tensors["language_model.model.embed_tokens.weight"].clone()
    safetensors.torch.save_file(tensors, copy / "model.safetensors")
    checkpoint = open_checkpoint(copy)
    report = measure(build(checkpoint, plan_for(checkpoint, "raw"), "untuned", open_workdir(str(tmp_path / "w"))))
    shares = {share.component: share.bytes for share in report.shares}
    assert (shares["embedding"], shares["head"]) == (0, 2 * 320 * 64)
    assert report.weights == 2 * (report.parameters - 320 * 64)
