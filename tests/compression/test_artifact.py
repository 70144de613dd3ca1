"""harness.compression.artifact: every file is verified, and no other file is accepted."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.compression.artifact import Artifact, open_artifact
from harness.compression.build import build
from harness.core import checksums as sums
from harness.core.checksums import FileDigest
from harness.core.errors import NewerFormatError, UserError
from harness.core.files import canonical_json
from harness.core.workdir import open_workdir
from harness.models.checkpoint import Checkpoint
from tests.helpers.recipes import plan_for

Q_PROJ = "language_model.model.layers.0.self_attn.q_proj.weight"


@pytest.fixture(scope="module")
def built(tiny_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    workdir = open_workdir(str(tmp_path_factory.mktemp("work")))
    return build(tiny_checkpoint, plan_for(tiny_checkpoint, "mixed"), "untuned", workdir)


@pytest.fixture
def copy(built: Artifact, tmp_path: Path) -> Path:
    return shutil.copytree(built.path, tmp_path / "copy")


def _edit_manifest(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads((directory / "artifact.json").read_text())
    change(value)
    (directory / "artifact.json").write_bytes(canonical_json(value) + b"\n")


def test_manifest_says_where_the_artifact_comes_from(
    built: Artifact, tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """Forbids a manifest without origin, training data, choices or size."""
    manifest = built.manifest
    assert (manifest.system, manifest.role) == ("mixed", "untuned")
    assert manifest.plan == plan_for(tiny_checkpoint, "mixed")
    assert manifest.base == tiny_checkpoint.fingerprint(tmp_path)
    assert manifest.datasets == ("tiny-set",)
    assert manifest.calibration_datasets == ()
    assert manifest.parameters == sum(spec.numel for spec in tiny_checkpoint.specs)
    assert set(manifest.libraries) == {"hqq", "numcodecs", "numpy", "torch"}
    assert manifest.libraries["torch"] == torch.__version__


def test_manifest_names_every_other_file_with_its_sum(built: Artifact) -> None:
    """Forbids a file without a checksum, and a checksum other than hashlib's."""
    files = {path for path in built.path.rglob("*") if path.is_file() and path.name != "artifact.json"}
    expected = {
        path.relative_to(built.path).as_posix(): FileDigest(
            hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size
        )
        for path in files
    }
    assert built.manifest.files == expected


def test_id_is_the_sum_of_the_manifest(built: Artifact) -> None:
    """Forbids an id that is not the sha256 of the manifest, and a manifest that is not canonical JSON."""
    data = (built.path / "artifact.json").read_bytes()
    assert built.id == hashlib.sha256(data).hexdigest()
    assert data == canonical_json(json.loads(data)) + b"\n"


def test_parts_decode_to_the_plan_s_tensors(built: Artifact, tiny_checkpoint: Checkpoint) -> None:
    """Forbids parts under a wrong name: each tensor's parts are those that its codec returns."""
    for row in built.manifest.plan.assignments:
        expected = row.codec.encode(tiny_checkpoint.tensor(row.tensor.name))
        found = built.parts(row.tensor.name)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[suffix], expected[suffix]) for suffix in expected)
        assert built.spec(row.tensor.name) == row.tensor


def test_an_edited_byte_is_found_in_every_file(copy: Path, tmp_path: Path) -> None:
    """Forbids accepting one changed bit in any file, with the modification time restored."""
    cache = tmp_path / "cache"
    whole = open_artifact(copy, cache)
    for name in whole.manifest.files:
        data = (copy / name).read_bytes()
        state = (copy / name).stat()
        (copy / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        os.utime(copy / name, ns=(state.st_atime_ns, state.st_mtime_ns))
        with pytest.raises(UserError, match=name):
            open_artifact(copy, cache)
        (copy / name).write_bytes(data)
    assert open_artifact(copy, cache).id == whole.id


def test_opening_again_hashes_nothing(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids reading 4 GB at every start of every command."""
    open_artifact(copy, tmp_path / "cache")

    def refuse(path: Path) -> FileDigest:
        raise AssertionError(f"{path} was hashed again")

    monkeypatch.setattr(sums, "digest_file", refuse)
    open_artifact(copy, tmp_path / "cache")


def _link_out(directory: Path) -> None:
    (directory / "merges.txt").unlink()
    (directory / "merges.txt").symlink_to("/etc/hostname")


def _rename_to(name: str) -> Callable[[Path], None]:
    return lambda directory: _edit_manifest(
        directory, lambda value: value["files"].update({name: value["files"].pop("merges.txt")})
    )


def _spaces(directory: Path) -> None:
    value = json.loads((directory / "artifact.json").read_text())
    (directory / "artifact.json").write_text(json.dumps(value, indent=1))


def _drop_tensor(directory: Path) -> None:
    _edit_manifest(directory, lambda value: value["plan"]["tensors"].pop(0))


def _alias_nowhere(directory: Path) -> None:
    _edit_manifest(directory, lambda value: value["aliases"].update({Q_PROJ: "nowhere.weight"}))


DAMAGES = [
    pytest.param(shutil.rmtree, "is not an artifact", id="no-directory"),
    pytest.param(lambda d: (d / "artifact.json").unlink(), "is not an artifact", id="no-manifest"),
    pytest.param(lambda d: (d / "artifact.json").write_text("{"), "not valid JSON", id="manifest-not-json"),
    pytest.param(lambda d: (d / "artifact.json").write_text("[]"), "not a JSON object", id="manifest-not-object"),
    pytest.param(_spaces, "artifact.json was changed", id="manifest-reformatted"),
    pytest.param(lambda d: _edit_manifest(d, lambda v: v.pop("base")), "is not a valid manifest", id="field-missing"),
    pytest.param(lambda d: (d / "tokenizer.json").unlink(), "tokenizer.json is missing", id="missing-tokenizer"),
    pytest.param(lambda d: (d / "notes.txt").touch(), "notes.txt does not belong", id="extra-file"),
    pytest.param(lambda d: (d / "weights" / "x.bin").touch(), "x.bin does not belong", id="extra-file-in-folder"),
    pytest.param(_link_out, "merges.txt is not a regular file", id="symbolic-link"),
    pytest.param(_rename_to("../merges.txt"), "not a path inside", id="path-upwards"),
    pytest.param(_rename_to("/etc/hostname"), "not a path inside", id="path-absolute"),
    pytest.param(_rename_to("a\\b"), "not a path inside", id="path-backslash"),
    pytest.param(_rename_to("weights//x"), "not a path inside", id="path-not-normal"),
    pytest.param(_drop_tensor, "which is not in its plan", id="tensor-not-in-plan"),
    pytest.param(_alias_nowhere, "does not store nowhere.weight", id="alias-of-nothing"),
]


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES)
def test_damage_gets_one_sentence(copy: Path, tmp_path: Path, damage: Callable[[Path], object], sentence: str) -> None:
    """Forbids a traceback, or accepting a directory that differs from its manifest."""
    damage(copy)
    with pytest.raises(UserError, match=sentence):
        open_artifact(copy, tmp_path / "cache")


@pytest.mark.parametrize("table", ["manifest", "plan"])
def test_a_newer_format_is_refused(copy: Path, tmp_path: Path, table: str) -> None:
    """Forbids reading a file of a later version, whose meaning may have changed."""
    _edit_manifest(copy, lambda v: (v if table == "manifest" else v["plan"]).update(format_version=99))
    with pytest.raises(NewerFormatError, match="upgrade the harness"):
        open_artifact(copy, tmp_path / "cache")
