"""Artifacts: the submitted directory, and its manifest `artifact.json` with the checksums of all other files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from harness.compression.plan import Assignment, Plan, plan_from_json
from harness.core.checksums import FileDigest, directory_digests
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
    """The content of `artifact.json`.

    Attributes:
        role: which checkpoint was compressed: untuned, finetuned or instruct.
        plan: the system's name, the codec of every tensor, and the measurements behind them.
        base: fingerprint of the checkpoint.
        datasets: data sets of the checkpoint's training.
        calibration_datasets: data sets of the plan's measurements.
        parameters: number of weights of the model after the transforms.
        libraries: version of each library that the bytes depend on.
        aliases: tensors that are not stored because another one has equal data and codec; both by canonical name.
        files: checksum and size of every other file, by path relative to the directory, with `/`.
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
    """Read back the result of `Manifest.to_json`, read from JSON; `what` is the name of the file in errors.

    Raises:
        UserError: the format is newer, or a field is not valid.
    """
    if not isinstance(value, dict):
        raise UserError(f"{what} is not a JSON object: {_ADVICE}.")
    check_format(what, value.get("format_version"), FORMAT)
    plan = plan_from_json(value.get("plan"), f"The plan in {what}")
    try:
        fields = msgspec.convert(value, _Fields)
    except msgspec.ValidationError as error:
        raise UserError(f"{what} is not a valid manifest ({error}): {_ADVICE}.") from error
    known = {name: getattr(fields, name) for name in Manifest.__struct_fields__ if name != "plan"}
    return Manifest(plan=plan, **known)


_Fields = msgspec.defstruct(
    "_Fields", [(each.name, each.type) for each in msgspec.structs.fields(Manifest) if each.name != "plan"]
)
"""The manifest's fields that msgspec converts; `plan_from_json` reads the plan."""


@dataclass(frozen=True)
class Artifact:
    """An open artifact whose files agree with its manifest, and its safetensors files by relative path.

    The id is the sha256 of `artifact.json`; it identifies every byte of the directory.
    """

    path: Path
    id: str
    manifest: Manifest
    weight_files: Mapping[str, TensorFile] = field(repr=False)

    def spec(self, name: str) -> TensorSpec:
        """Return a tensor's spec as it was encoded, by canonical name."""
        return self._assignments[name].tensor

    def parts(self, name: str) -> "Parts":
        """Return the stored parts of a tensor, memory-mapped; for an alias, those of its target."""
        stored = self.manifest.aliases.get(name, name)
        file, suffixes = self._places[stored]
        return {suffix: file.read(stored + suffix) for suffix in suffixes}

    @cached_property
    def _assignments(self) -> Mapping[str, Assignment]:
        return {row.tensor.name: row for row in self.manifest.plan.assignments}

    @cached_property
    def _places(self) -> Mapping[str, tuple[TensorFile, tuple[str, ...]]]:
        """File and suffixes of every stored tensor."""
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
                raise UserError(f"{self.path} stores {key}, which is not in its plan: {_ADVICE}.")
        return name


def weights_file(tensor: TensorSpec) -> str:
    """Return the relative path of a tensor's file: one per layer, embedding, head, and the rest."""
    if tensor.layer is not None:
        tower = "audio" if tensor.component is Component.AUDIO_TOWER else "decoder"
        return f"weights/{tower}-{tensor.layer:02d}.safetensors"
    if tensor.component in {Component.EMBEDDING, Component.HEAD}:
        return f"weights/{tensor.component}.safetensors"
    return "weights/rest.safetensors"


def open_artifact(path: Path, cache: Path) -> Artifact:
    """Open an artifact and verify every file against the manifest.

    The cache folder has the checksums of unchanged files, so that opening it again reads only headers.

    Raises:
        UserError: the directory holds no artifact, its format is newer, its plan names a codec that is not installed,
            or a file is missing, unexpected, changed or a symbolic link.
    """
    artifact = _open_unverified(path)
    found = directory_digests(path, artifact.manifest.files, cache)
    for name, expected in artifact.manifest.files.items():
        if found[name] != expected:
            raise UserError(f"{path / name} was changed after it was built (its sha256 differs): {_ADVICE}.")
    for row in artifact.manifest.plan.assignments:
        stored = artifact.manifest.aliases.get(row.tensor.name, row.tensor.name)
        if stored not in artifact._places:  # noqa: SLF001 - this module's own class
            raise UserError(f"{artifact.path} does not store {stored}: {_ADVICE}.")
    return artifact


def _open_unverified(path: Path) -> Artifact:
    file = path / MANIFEST
    if not file.is_file():
        raise UserError(
            f"{path} is not an artifact ({MANIFEST} is missing): name a directory that `harness build` made."
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
    """Return the relative paths of all files in a directory, sorted.

    Raises:
        UserError: it contains a symbolic link or a special file.
    """
    names = []
    for entry in sorted(path.rglob("*")):
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise UserError(f"{entry} is not a regular file, and an artifact contains nothing else: {_ADVICE}.")
        if entry.is_file():
            names.append(entry.relative_to(path).as_posix())
    return tuple(names)


def _check_names(path: Path, manifest: Manifest) -> None:
    for name in manifest.files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or "\\" in name or ".." in parts or name != "/".join(parts):
            raise UserError(
                f"{path / MANIFEST} names {name!r}, which is not a path inside the artifact: do not use it."
            )
    found, known = set(files_of(path)), {*manifest.files, MANIFEST}
    for name in sorted(known - found):
        raise UserError(f"{path / name} is missing: {_ADVICE}.")
    for name in sorted(found - known):
        raise UserError(f"{path / name} does not belong to the artifact: move it away, or {_ADVICE}.")
