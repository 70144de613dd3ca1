"""harness.compression.build: equal inputs give equal bytes, and a failed build leaves no partial artifact."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch

from harness.compression import build as module
from harness.compression.artifact import Artifact, weights_file
from harness.compression.build import artifact_path, build
from harness.compression.codecs import Hqq, Int8, Parts, Raw
from harness.compression.plan import Plan, resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import named
from harness.core.errors import UserError
from harness.core.files import sha256_of
from harness.core.locks import exclusive
from harness.core.workdir import WorkDir, open_workdir
from harness.models.checkpoint import Checkpoint, open_checkpoint
from harness.models.tensor_spec import TensorSpec
from tests.helpers.recipes import plan_for

EMBEDDING = "language_model.model.embed_tokens.weight"
HEAD = "language_model.lm_head.weight"


def _sums(artifact: Artifact) -> dict[str, str]:
    files = (path for path in artifact.path.rglob("*") if path.is_file())
    return {path.relative_to(artifact.path).as_posix(): sha256_of(path) for path in files}


@pytest.mark.parametrize("recipe", ["raw", "mixed", "int8"])
def test_same_inputs_give_the_same_bytes(tiny_checkpoint: Checkpoint, tmp_path: Path, recipe: str) -> None:
    """Forbids time stamps, paths, random numbers or thread counts in any byte of an artifact."""
    plan = plan_for(tiny_checkpoint, recipe)
    threads = torch.get_num_threads()
    sums = []
    for count in (1, 3):
        torch.set_num_threads(count)
        sums.append(_sums(build(tiny_checkpoint, plan, "untuned", open_workdir(str(tmp_path / str(count))))))
    torch.set_num_threads(threads)
    assert sums[0] == sums[1]
    assert {"artifact.json", "weights/decoder-01.safetensors", "weights/audio-00.safetensors"} <= sums[0].keys()


def test_companions_ship_byte_for_byte(tiny_checkpoint: Checkpoint, workdir: WorkDir) -> None:
    """Forbids a rewritten configuration or tokenizer."""
    artifact = build(tiny_checkpoint, plan_for(tiny_checkpoint, "raw"), "untuned", workdir)
    for source in tiny_checkpoint.companions:
        assert (artifact.path / source.name).read_bytes() == source.read_bytes()


def test_directory_has_one_file_per_layer(tiny_checkpoint: Checkpoint, workdir: WorkDir) -> None:
    """Forbids files larger than a layer, after which a build resumes, and temporary files in the result."""
    artifact = build(tiny_checkpoint, plan_for(tiny_checkpoint, "raw"), "untuned", workdir)
    names = ["audio-00", "audio-01", "decoder-00", "decoder-01", "embedding", "head", "rest"]
    assert sorted(p.name for p in (artifact.path / "weights").iterdir()) == [f"{n}.safetensors" for n in names]
    assert [path.name for path in workdir.artifacts.iterdir()] == [artifact.path.name]
    assert weights_file(TensorSpec("audio_tower.conv1.weight", (1,), "float16")) == "weights/rest.safetensors"


def test_an_existing_artifact_is_returned_at_once(
    tiny_checkpoint: Checkpoint, workdir: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids building twice."""
    plan = plan_for(tiny_checkpoint, "raw")
    first = build(tiny_checkpoint, plan, "untuned", workdir)
    monkeypatch.delattr(Raw, "encode")
    monkeypatch.delattr(module, "_fill")
    again = build(tiny_checkpoint, plan, "untuned", workdir)
    assert (again.path, again.id) == (first.path, first.id)


def test_whatever_changes_the_bytes_changes_the_directory(
    tiny_checkpoint: Checkpoint, tiny_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that another role, plan, base, training record or library finds the artifact of this one."""
    workdir = open_workdir(str(tmp_path / "work"))
    plan, other = plan_for(tiny_checkpoint, "hqq4"), plan_for(tiny_checkpoint, "mixed")
    copy = open_checkpoint(shutil.copytree(tiny_directory, tmp_path / "copy"))
    same = artifact_path(copy, plan, "untuned", workdir)
    assert same == artifact_path(tiny_checkpoint, plan, "untuned", workdir)

    paths = [same, artifact_path(copy, plan, "instruct", workdir)]
    paths.append(artifact_path(copy, Plan(plan.system, other.assignments), "untuned", workdir))
    (copy.path / "training.json").unlink()
    paths.append(artifact_path(open_checkpoint(copy.path), plan, "untuned", workdir))
    with (copy.path / "tokenizer_config.json").open("a") as stream:
        stream.write(" ")
    paths.append(artifact_path(open_checkpoint(copy.path), plan, "untuned", workdir))
    monkeypatch.setattr("importlib.metadata.version", lambda _: "99")
    paths.append(artifact_path(open_checkpoint(copy.path), plan, "untuned", workdir))
    assert len(set(paths)) == len(paths)


def test_equal_tensors_are_stored_once(tiny_directory: Path, tmp_path: Path) -> None:
    """Forbids saving a head that equals the embedding twice, and confusing tensors that only begin alike."""
    copy = shutil.copytree(tiny_directory, tmp_path / "copy")
    tensors = safetensors.torch.load_file(copy / "model.safetensors")
    tensors[HEAD] = tensors[EMBEDDING].clone()
    near, twin = (f"language_model.model.layers.{layer}.mlp.up_proj.weight" for layer in (0, 1))
    tensors[twin] = tensors[near].clone()
    tensors[twin][-1, -1] += 1
    safetensors.torch.save_file(tensors, copy / "model.safetensors")
    checkpoint = open_checkpoint(copy)
    artifact = build(
        checkpoint, resolve("raw", Recipe(), checkpoint.specs), "untuned", open_workdir(str(tmp_path / "w"))
    )

    assert artifact.manifest.aliases == {EMBEDDING: HEAD}
    assert not (artifact.path / "weights" / "embedding.safetensors").exists()
    for name in (HEAD, EMBEDDING, near, twin):
        assert torch.equal(artifact.parts(name)[""], tensors[name])
    assert artifact.manifest.parameters == sum(tensor.numel() for tensor in tensors.values())


def test_equal_tensors_with_other_codecs_are_stored_apart(tiny_directory: Path, tmp_path: Path) -> None:
    """Forbids that an alias changes the precision that the plan gave a tensor."""
    copy = shutil.copytree(tiny_directory, tmp_path / "copy")
    tensors = safetensors.torch.load_file(copy / "model.safetensors")
    tensors[HEAD] = tensors[EMBEDDING].clone()
    safetensors.torch.save_file(tensors, copy / "model.safetensors")
    checkpoint = open_checkpoint(copy)
    plan = resolve("half", Recipe(rule(named(EMBEDDING), Hqq(bits=4))), checkpoint.specs)
    assert build(checkpoint, plan, "untuned", open_workdir(str(tmp_path / "w"))).manifest.aliases == {}


def test_a_bad_weight_leaves_no_artifact(tiny_directory: Path, tmp_path: Path) -> None:
    """Forbids an artifact of a checkpoint with NaN in it, whichever file the NaN is in."""
    copy = shutil.copytree(tiny_directory, tmp_path / "copy")
    tensors = safetensors.torch.load_file(copy / "model.safetensors")
    tensors["multi_modal_projector.linear.bias"][0] = float("nan")
    safetensors.torch.save_file(tensors, copy / "model.safetensors")
    checkpoint, workdir = open_checkpoint(copy), open_workdir(str(tmp_path / "work"))
    plan = resolve("raw", Recipe(), checkpoint.specs)
    with pytest.raises(UserError, match=r"multi_modal_projector\.linear\.bias contains NaN"):
        build(checkpoint, plan, "untuned", workdir)
    assert not artifact_path(checkpoint, plan, "untuned", workdir).exists()


def test_a_tensor_that_does_not_suit_its_codec_is_named(tiny_checkpoint: Checkpoint, workdir: WorkDir) -> None:
    """Forbids an error about a shape that does not name the tensor."""
    plan = resolve("bad", Recipe(rule(named(r".*norm\.weight"), Int8())), tiny_checkpoint.specs)
    with pytest.raises(UserError, match=r"Tensor audio_tower\.layer_norm\.weight: .*matrices"):
        build(tiny_checkpoint, plan, "untuned", workdir)


def test_a_plan_for_other_shapes_is_refused(tiny_checkpoint: Checkpoint, workdir: WorkDir) -> None:
    """Forbids building from a plan that was made for another model."""
    plan = resolve("raw", Recipe(), tiny_checkpoint.specs[1:])
    with pytest.raises(UserError, match="made for another checkpoint"):
        build(tiny_checkpoint, plan, "untuned", workdir)


def test_a_second_build_of_the_same_artifact_waits_for_the_user(tiny_checkpoint: Checkpoint, workdir: WorkDir) -> None:
    """Forbids that two processes write into one partial directory, and a lock that outlives its owner."""
    plan = plan_for(tiny_checkpoint, "raw")
    path = artifact_path(tiny_checkpoint, plan, "untuned", workdir)
    with (
        exclusive(path, "is building it", workdir.locks),
        pytest.raises(UserError, match=f"Another process is building {path.name}: wait for it"),
    ):
        build(tiny_checkpoint, plan, "untuned", workdir)
    assert not workdir.artifacts.exists()
    assert build(tiny_checkpoint, plan, "untuned", workdir).path.is_dir()


def test_a_work_directory_that_cannot_be_written_gets_a_sentence(tiny_checkpoint: Checkpoint, workdir: WorkDir) -> None:
    """Forbids a traceback where the artifacts' folder cannot be made (a file in its place also stops root)."""
    workdir.artifacts.touch()
    with pytest.raises(UserError, match=r"Cannot write .*artifacts.*: name another work directory"):
        build(tiny_checkpoint, plan_for(tiny_checkpoint, "raw"), "untuned", workdir)


def test_a_checkpoint_that_changes_meanwhile_is_refused(
    tiny_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids an artifact with weights from before and after a change of the checkpoint."""
    checkpoint = open_checkpoint(shutil.copytree(tiny_directory, tmp_path / "copy"))
    encode = Raw.encode

    def encode_and_touch(self: Raw, tensor: torch.Tensor) -> Parts:
        (checkpoint.path / "merges.txt").write_text("#version: 0.3\n")
        return encode(self, tensor)

    monkeypatch.setattr(Raw, "encode", encode_and_touch)
    workdir = open_workdir(str(tmp_path / "work"))
    with pytest.raises(UserError, match="changed during the build"):
        build(checkpoint, plan_for(checkpoint, "raw"), "untuned", workdir)
    assert not list(workdir.artifacts.iterdir())


def test_strays_of_a_killed_build_do_not_ship(tiny_checkpoint: Checkpoint, workdir: WorkDir) -> None:
    """Forbids temporary or unknown files of a partial directory in the artifact."""
    plan = plan_for(tiny_checkpoint, "raw")
    partial = Path(f"{artifact_path(tiny_checkpoint, plan, 'untuned', workdir)}.partial")
    for stray in (
        "weights/.head.safetensors.77.tmp",
        ".config.json.77.tmp",
        "artifact.json",
        "weights/old.safetensors",
    ):
        (partial / stray).parent.mkdir(parents=True, exist_ok=True)
        (partial / stray).write_text("stray")
    artifact = build(tiny_checkpoint, plan, "untuned", workdir)
    assert not [name for name in _sums(artifact) if "old" in name or "tmp" in name]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 300 kB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(mount)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted by root alone")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_gets_a_sentence_and_the_build_goes_on_later(
    tiny_checkpoint: Checkpoint, small_disk: Path, workdir: WorkDir
) -> None:
    """Forbids a traceback or lost work on a full disk: the build resumes when there is space, with the same bytes."""
    plan = plan_for(tiny_checkpoint, "raw")
    full = open_workdir(str(small_disk))
    with pytest.raises(UserError, match=r"No space left on device.*free some space and run this again"):
        build(tiny_checkpoint, plan, "untuned", full)
    kept = {path.name: path.stat().st_mtime_ns for path in small_disk.rglob("weights/*.safetensors")}
    assert kept
    assert [path.suffix for path in full.artifacts.iterdir()] == [".partial"]

    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    resumed = build(tiny_checkpoint, plan, "untuned", full)
    assert kept.items() <= {p.name: p.stat().st_mtime_ns for p in resumed.path.rglob("weights/*.safetensors")}.items()
    assert _sums(resumed) == _sums(build(tiny_checkpoint, plan, "untuned", workdir))


LIMITED = """
import resource, sys
from pathlib import Path
from harness.core.errors import UserError
from harness.core.safetensors_io import write_tensors
from harness.core.files import published
import torch
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with published(Path(sys.argv[1])) as temporary:
        write_tensors(temporary, {"a": torch.zeros(100_000)})
except UserError as error:
    print(error)
"""


def test_a_file_that_cannot_grow_leaves_nothing(tmp_path: Path) -> None:
    """Forbids that an interrupted write leaves a file; unlike the small disk, this needs no root."""
    target = tmp_path / "folder" / "x.safetensors"
    command = [sys.executable, "-c", LIMITED, str(target)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "File too large" in result.stdout
    assert "free some space" in result.stdout
    assert not list(target.parent.iterdir())
