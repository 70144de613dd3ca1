"""Artifacts: the directory that ships, and its manifest `artifact.json`, which names every byte in it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from harness.compression.plan import Assignment, Plan, plan_from_json
from harness.core.checksums import FileDigest, digest_file, directory_digests
from harness.core.errors import UserError, check_format
from harness.core.files import canonical_json, read_bounded
from harness.core.safetensors_io import TensorFile, open_tensor_file
from harness.models.tensor_spec import Component, TensorSpec

if TYPE_CHECKING:
    from harness.compression.codecs.base import Parts

FORMAT = 1
MANIFEST = "artifact.json"
_ADVICE = "remove the directory and build the artifact again"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What `artifact.json` says.

    Attributes:
        role: which checkpoint was compressed: untuned, finetuned or instruct.
        plan: the system's name, and the codec of every tensor.
        base: fingerprint of the checkpoint.
        datasets: data sets that the checkpoint was trained on.
        calibration_datasets: data sets that choices of the plan were measured on.
        parameters: weights of the model, whatever they are stored as.
        libraries: version of each library that the bytes depend on.
        aliases: tensors that are stored as another tensor of equal data and codec, by canonical name.
        files: sum and size of every other file, by path relative to the directory, with `/`.
    """

    role: str
    plan: Plan
    base: str
    datasets: tuple[str, ...]
    calibration_datasets: tuple[str, ...]
    parameters: int
    libraries: Mapping[str, str]
    aliases: Mapping[str, str]
    files: Mapping[str, FileDigest]

    @property
    def system(self) -> str:
        """The registered system that built the artifact."""
        return self.plan.system

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON-ready values; `manifest_from_json` reads them back."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name != "plan"}
        return {"format_version": FORMAT, "plan": self.plan.to_json(), **msgspec.to_builtins(fields)}


def manifest_from_json(value: Any, what: str) -> Manifest:
    """Read a manifest back.

    Args:
        value: what `Manifest.to_json` gave, after a trip through JSON.
        what: how errors name the file.

    Raises:
        UserError: newer format, or fields that do not read.
    """
    if not isinstance(value, dict):
        raise UserError(f"{what} is not a JSON object: {_ADVICE}.")
    check_format(what, value.get("format_version"), FORMAT)
    plan = plan_from_json(value.get("plan"), f"The plan in {what}")
    try:
        fields = msgspec.convert({**value, "plan": None}, _Fields)
    except msgspec.ValidationError as error:
        raise UserError(f"{what} does not read ({error}): {_ADVICE}.") from error
    known = {name: getattr(fields, name) for name in Manifest.__struct_fields__ if name != "plan"}
    return Manifest(plan=plan, **known)


class _Fields(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest's fields that msgspec reads by itself; the plan reads itself."""

    role: str
    base: str
    datasets: tuple[str, ...]
    calibration_datasets: tuple[str, ...]
    parameters: int
    libraries: dict[str, str]
    aliases: dict[str, str]
    files: dict[str, FileDigest]


@dataclass(frozen=True)
class Artifact:
    """An open artifact whose bytes agree with its manifest.

    Attributes:
        path: the directory.
        id: sha256 of `artifact.json`; it names every byte of the directory.
        manifest: what `artifact.json` says.
        weight_files: the open safetensors files, by relative path.
    """

    path: Path
    id: str
    manifest: Manifest
    weight_files: Mapping[str, TensorFile] = field(repr=False)

    def spec(self, name: str) -> TensorSpec:
        """Return a tensor's spec in the base model, by canonical name."""
        return self._assignments[name].tensor

    def parts(self, name: str) -> "Parts":
        """Return what a tensor is stored as, memory-mapped; an alias gives the parts of its target."""
        stored = self.manifest.aliases.get(name, name)
        file, suffixes = self._places[stored]
        return {suffix: file.read(stored + suffix) for suffix in suffixes}

    @cached_property
    def _assignments(self) -> Mapping[str, Assignment]:
        return {row.tensor.name: row for row in self.manifest.plan.assignments}

    @cached_property
    def _places(self) -> Mapping[str, tuple[TensorFile, tuple[str, ...]]]:
        """File and suffixes of every tensor that is stored."""
        places: dict[str, tuple[TensorFile, tuple[str, ...]]] = {}
        for file in self.weight_files.values():
            for key in file.entries:
                name = self.tensor_of(key)
                places[name] = (file, (*places.get(name, (file, ()))[1], key.removeprefix(name)))
        return places

    def tensor_of(self, key: str) -> str:
        """Return the canonical name of the tensor that a part belongs to, given the part's name in its file.

        Raises:
            UserError: no tensor of the plan has such a part.
        """
        name = key
        while name not in self._assignments:
            name, dot, _ = name.rpartition(".")
            if not dot:
                raise UserError(f"{self.path} stores {key}, which its plan does not know: {_ADVICE}.")
        return name


def weights_file(tensor: TensorSpec) -> str:
    """Return the relative path of the file that holds a tensor: one per layer, embedding, head, and the rest."""
    if tensor.layer is not None:
        tower = "audio" if tensor.component is Component.AUDIO_TOWER else "decoder"
        return f"weights/{tower}-{tensor.layer:02d}.safetensors"
    if tensor.component in {Component.EMBEDDING, Component.HEAD}:
        return f"weights/{tensor.component}.safetensors"
    return "weights/rest.safetensors"


def open_artifact(path: Path, cache: Path) -> Artifact:
    """Open an artifact and hold every file against the manifest.

    Args:
        path: the directory.
        cache: folder in which sums of unchanged files are remembered, so that opening again reads headers alone.

    Raises:
        UserError: no artifact, newer format, or a file that is missing, superfluous, changed or a symbolic link.
    """
    artifact = _open_unverified(path)
    found = directory_digests(path, artifact.manifest.files, cache)
    for name, expected in artifact.manifest.files.items():
        _check_sum(path / name, expected, found[name])
    _check_complete(artifact)
    return artifact


def verify(artifact: Artifact) -> None:
    """Hash every file again, whatever is remembered of it.

    Raises:
        UserError: a file is missing, superfluous, changed or a symbolic link.
    """
    manifest = _open_unverified(artifact.path).manifest
    for name, expected in manifest.files.items():
        _check_sum(artifact.path / name, expected, digest_file(artifact.path / name))


def _open_unverified(path: Path) -> Artifact:
    file = path / MANIFEST
    if not file.is_file():
        raise UserError(
            f"{path} holds no artifact ({MANIFEST} is missing): name a directory that `harness build` made."
        )
    data = read_bounded(file)
    try:
        value = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise UserError(f"{file} is not valid JSON ({error}): {_ADVICE}.") from error
    manifest = manifest_from_json(value, str(file))
    if canonical_json(value) + b"\n" != data:
        raise UserError(f"{file} was changed after it was built: {_ADVICE}.")
    _check_names(path, manifest)
    weights = {name: open_tensor_file(path / name) for name in manifest.files if name.endswith(".safetensors")}
    return Artifact(path, hashlib.sha256(data).hexdigest(), manifest, weights)


def files_of(path: Path) -> tuple[str, ...]:
    """Return the relative paths of all files of a directory, sorted.

    Raises:
        UserError: a symbolic link or a special file is among them.
    """
    names = []
    for entry in sorted(path.rglob("*")):
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise UserError(f"{entry} is not a plain file: an artifact holds plain files only, {_ADVICE}.")
        if entry.is_file():
            names.append(entry.relative_to(path).as_posix())
    return tuple(names)


def _check_names(path: Path, manifest: Manifest) -> None:
    for name in manifest.files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or "\\" in name or ".." in parts or name != "/".join(parts):
            raise UserError(f"{path / MANIFEST} names {name!r}, which is no path inside the artifact: do not use it.")
    found, known = set(files_of(path)), {*manifest.files, MANIFEST}
    for name in sorted(known - found):
        raise UserError(f"{path / name} is missing: {_ADVICE}.")
    for name in sorted(found - known):
        raise UserError(f"{path / name} does not belong to the artifact: move it away, or {_ADVICE}.")


def _check_sum(path: Path, expected: FileDigest, found: FileDigest) -> None:
    if found != expected:
        raise UserError(f"{path} was changed after it was built (its sha256 differs): {_ADVICE}.")


def _check_complete(artifact: Artifact) -> None:
    aliases = artifact.manifest.aliases
    for row in artifact.manifest.plan.assignments:
        stored = aliases.get(row.tensor.name, row.tensor.name)
        if stored not in artifact._places:  # noqa: SLF001 - this module's own class
            raise UserError(f"{artifact.path} stores no {stored}: {_ADVICE}.")
