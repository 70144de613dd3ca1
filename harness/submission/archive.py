"""Packing: one archive and one description per model entry, as the campaign accepts them, the same bytes every time."""

import io
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.compression.artifact import Artifact
from harness.compression.size import measure
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.files import publish_directory, sha256_of, write_bytes
from harness.core.text import one_line
from harness.core.workdir import WorkDir
from harness.inference.hypothesis import HypothesisSet
from harness.submission.check import DESCRIPTION_SUFFIX
from harness.submission.check.layout import file_name
from harness.submission.condition import condition_of
from harness.submission.description import Description, PackedFile, render_description
from harness.submission.manifest import ModelEntry, ModelName, Submission, model_name
from harness.testsets.load import test_set_name
from harness.testsets.segments_yaml import to_yaml
from harness.testsets.testset import TestSet

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP can hold stands for no time."""
_UNIX = 3
_FILE_MODE, _DIRECTORY_MODE = 0o100644, 0o40755
_DOS_DIRECTORY = 0x10


@dataclass(frozen=True)
class PackRequest:
    """One model entry and everything that goes into its archive.

    Attributes:
        submission: the manifest that enters it.
        entry: which of its entries.
        task: the campaign's names and test sets.
        artifact: the built system.
        made: its translations, one set per test set of the task in that direction.
        test_sets: the task's test sets, imported.
    """

    submission: Submission
    entry: ModelEntry
    task: Task
    artifact: Artifact
    made: tuple[HypothesisSet, ...]
    test_sets: tuple[TestSet, ...]


class Packed(msgspec.Struct, frozen=True):
    """What was packed.

    Attributes:
        name: the model's name in the campaign.
        archive: path of the ZIP, in a folder of that name.
        description: path of the description beside it.
        sha256: of the archive.
    """

    name: str
    archive: Path
    description: Path
    sha256: str


def pack(request: PackRequest, workdir: WorkDir) -> Packed:
    """Write an entry's archive, its description and its segmentations, replacing an older version as a whole.

    Raises:
        UserError: the claimed condition contradicts provenance, translations are missing, incomplete or not made by
            this artifact, or the work directory cannot be written.
    """
    manifest = request.artifact.manifest
    condition = condition_of(manifest, request.task, request.submission.condition)
    parts = ModelName(request.submission.team, request.entry.direction, condition, request.entry.kind)
    name = model_name(request.task.names, parts)
    files = _files(request)
    description = Description(name, parts, request.submission, request.task, manifest, measure(request.artifact), files)
    beside = {f"{name}{DESCRIPTION_SUFFIX}": render_description(description).encode(), **_segmentations(request, name)}
    return _publish(name, archive_bytes(files), beside, workdir.submissions)


def _segmentations(request: PackRequest, name: str) -> dict[str, bytes]:
    """Return, for every set that came unsegmented, how it was cut: nobody could align its lines without that."""
    sets = {test_set.name: test_set for test_set in request.test_sets}
    return {
        f"{name}.segments/{sets[made.test_set].campaign_name}.yaml": to_yaml([each.segment for each in made.hypotheses])
        for made in request.made
        if sets[made.test_set].gold is None
    }


def _publish(name: str, archive: bytes, beside: Mapping[str, bytes], folder: Path) -> Packed:
    partial, final = folder / f".{name}.partial", folder / name
    shutil.rmtree(partial, ignore_errors=True)
    write_bytes(partial / f"{name}.zip", archive)
    for file, data in beside.items():
        write_bytes(partial / file, data)
    publish_directory(partial, final)
    path = final / f"{name}.zip"
    return Packed(name, path, final / f"{name}{DESCRIPTION_SUFFIX}", sha256_of(path))


def _files(request: PackRequest) -> tuple[PackedFile, ...]:
    """Return the archive's files, one per test set of the task in the entry's direction, sorted by path."""
    made = {hypotheses.test_set: hypotheses for hypotheses in request.made}
    test_sets = {test_set.name: test_set for test_set in request.test_sets}
    files: dict[str, PackedFile] = {}
    for name in map(test_set_name, request.task.submitted(request.entry.direction)):
        if name not in made or name not in test_sets:
            raise UserError(
                f"{request.entry.system} has no translations of {name} in {request.entry.direction}: "
                "generate them first."
            )
        file = _file(request, made[name], test_sets[name])
        if file.path in files:
            raise UserError(
                f"{files[file.path].test_set} and {name} both go to {file.path}: give one of their manifests another "
                "campaign_name, or take one out of the task."
            )
        files[file.path] = file
    return tuple(files[path] for path in sorted(files))


def _file(request: PackRequest, made: HypothesisSet, test_set: TestSet) -> PackedFile:
    _check_made(request, made, test_set)
    path = f"{request.task.names.archive_task}/{test_set.campaign_name}/{file_name(request.entry.direction)}"
    lines = tuple(one_line(hypothesis.text) for hypothesis in made.hypotheses)
    return PackedFile(path, test_set.name, lines, made.signature)


def _check_made(request: PackRequest, made: HypothesisSet, test_set: TestSet) -> None:
    what = f"The translations of {test_set.name} by {made.system}"
    if made.direction != request.entry.direction:
        raise UserError(f"{what} are {made.direction}, not {request.entry.direction}: generate that direction first.")
    if made.artifact != request.artifact.id:
        raise UserError(f"{what} were made by another artifact than the one to pack: generate them again.")
    expected = len(test_set.gold.segments) if test_set.gold else len(made.hypotheses)
    if len(made.hypotheses) != expected or not made.hypotheses:
        raise UserError(
            f"{what} are {len(made.hypotheses)} lines for {expected} segments: generate the whole test set first."
        )
    if any(hypothesis.index != position for position, hypothesis in enumerate(made.hypotheses)):
        raise UserError(f"{what} are not in the order of the segments: generate them again.")


def archive_bytes(files: Sequence[PackedFile]) -> bytes:
    """Return the ZIP of some files: explicit directory entries first, members stored, no times, fixed permissions.

    Members are stored, not deflated, since deflated bytes depend on the version of zlib.
    """
    folders = {"/".join(file.path.split("/")[:depth]) + "/" for file in files for depth in (1, 2)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(folders):
            archive.writestr(_info(name, (_DIRECTORY_MODE << 16) | _DOS_DIRECTORY), b"")
        for file in sorted(files, key=lambda file: file.path):
            text = "".join(f"{line}\n" for line in file.lines)
            archive.writestr(_info(file.path, _FILE_MODE << 16), text.encode())
    return out.getvalue()


def _info(name: str, attributes: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = _UNIX
    info.external_attr = attributes
    return info
