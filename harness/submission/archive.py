"""Submission archives: a ZIP file and a description for each entry, reproducible to the byte."""

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
from harness.core.locks import exclusive
from harness.core.text import one_line
from harness.core.workdir import WorkDir
from harness.inference.hypothesis import HypothesisSet
from harness.submission.check import DESCRIPTION_SUFFIX
from harness.submission.check.layout import file_name
from harness.submission.condition import derive_condition
from harness.submission.description import ArchiveFile, Description, render_description
from harness.submission.manifest import ModelEntry, ModelName, Submission, model_name
from harness.testsets.load import test_set_name
from harness.testsets.segments_yaml import to_yaml
from harness.testsets.testset import TestSet

_UNIX = 3
_FILE_MODE, _DIRECTORY_MODE = 0o100644, 0o40755
_DOS_DIRECTORY = 0x10


@dataclass(frozen=True)
class ArchiveRequest:
    """An entry of a submission and everything that its archive is made from.

    Attributes:
        entry: one of the submission's entries.
        artifact: the built system.
        hypotheses: its translations, one set per test set of the task in the entry's direction.
        test_sets: the task's test sets, imported.
    """

    submission: Submission
    entry: ModelEntry
    task: Task
    artifact: Artifact
    hypotheses: tuple[HypothesisSet, ...]
    test_sets: tuple[TestSet, ...]


class SubmissionArchive(msgspec.Struct, frozen=True):
    """An archive that was written.

    Attributes:
        name: the model's name in the campaign.
        path: the ZIP file, in a folder of that name.
        description: the description, in the same folder.
        sha256: of the ZIP file.
    """

    name: str
    path: Path
    description: Path
    sha256: str


def write_archive(request: ArchiveRequest, workdir: WorkDir) -> SubmissionArchive:
    """Write an entry's archive, description and segmentations; an older version is replaced as a whole.

    Raises:
        UserError: the claimed condition contradicts the provenance; translations are missing, incomplete or of another
            artifact; the work directory cannot be written; or another process is writing the same archive.
    """
    manifest = request.artifact.manifest
    condition = derive_condition(manifest, request.task, request.submission.condition)
    parts = ModelName(request.submission.team, request.entry.direction, condition, request.entry.kind)
    name = model_name(request.task.names, parts)
    files = _files(request)
    description = Description(name, parts, request.submission, request.task, manifest, measure(request.artifact), files)
    rendered = {f"{name}{DESCRIPTION_SUFFIX}": render_description(description).encode()}
    companions = {**rendered, **_segmentations(request, name)}
    with exclusive(workdir.submissions / name, f"is writing the archive {name}", workdir.locks):
        return _publish(name, archive_bytes(files), companions, workdir.submissions)


def _segmentations(request: ArchiveRequest, name: str) -> dict[str, bytes]:
    """Return the segmentations of sets without gold segments, by file name: without them, lines cannot be aligned."""
    sets = {test_set.name: test_set for test_set in request.test_sets}
    return {
        f"{name}.segments/{sets[made.test_set].campaign_name}.yaml": to_yaml([each.segment for each in made.hypotheses])
        for made in request.hypotheses
        if sets[made.test_set].gold is None
    }


def _publish(name: str, archive: bytes, companions: Mapping[str, bytes], folder: Path) -> SubmissionArchive:
    partial, final = folder / f".{name}.partial", folder / name
    shutil.rmtree(partial, ignore_errors=True)
    for file, data in {f"{name}.zip": archive, **companions}.items():
        write_bytes(partial / file, data)
    publish_directory(partial, final)
    path = final / f"{name}.zip"
    return SubmissionArchive(name, path, final / f"{name}{DESCRIPTION_SUFFIX}", sha256_of(path))


def _files(request: ArchiveRequest) -> tuple[ArchiveFile, ...]:
    """Return the archive's files, one per test set of the task in the entry's direction, sorted by path."""
    by_set = {made.test_set: made for made in request.hypotheses}
    test_sets = {test_set.name: test_set for test_set in request.test_sets}
    files: dict[str, ArchiveFile] = {}
    entry = request.entry
    for name in map(test_set_name, request.task.submitted(entry.direction)):
        if name not in by_set or name not in test_sets:
            raise UserError(f"{entry.system} has no translations of {name} in {entry.direction}: generate them first.")
        made, test_set = by_set[name], test_sets[name]
        _check_hypotheses(request, made, test_set)
        path = f"{request.task.names.archive_task}/{test_set.campaign_name}/{file_name(entry.direction)}"
        if path in files:
            raise UserError(
                f"{files[path].test_set} and {name} have the same path {path}: set another campaign_name in one of "
                "their manifests, or remove one from the task."
            )
        lines = tuple(one_line(hypothesis.text) for hypothesis in made.hypotheses)
        files[path] = ArchiveFile(path, name, lines, made.signature)
    return tuple(files[path] for path in sorted(files))


def _check_hypotheses(request: ArchiveRequest, made: HypothesisSet, test_set: TestSet) -> None:
    what = f"The translations of {test_set.name} by {made.system}"
    if made.direction != request.entry.direction:
        raise UserError(f"{what} are {made.direction}, not {request.entry.direction}: generate that direction first.")
    if made.artifact != request.artifact.id:
        raise UserError(f"{what} are of another artifact than this entry's: generate them again.")
    expected = len(test_set.gold.segments) if test_set.gold else len(made.hypotheses)
    count = len(made.hypotheses)
    if count != expected or not count:
        raise UserError(f"{what} are {count} lines for {expected} segments: generate the whole test set first.")
    if [hypothesis.index for hypothesis in made.hypotheses] != list(range(expected)):
        raise UserError(f"{what} are not in the order of the segments: generate them again.")


def archive_bytes(files: Sequence[ArchiveFile]) -> bytes:
    """Return a ZIP of some files: explicit directory entries first, constant times and permissions.

    Members are stored, not deflated, because deflated bytes depend on the version of zlib.
    """
    folders = {"/".join(file.path.split("/")[:depth]) + "/" for file in files for depth in (1, 2)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(folders):
            archive.writestr(_info(name, (_DIRECTORY_MODE << 16) | _DOS_DIRECTORY), b"")
        for file in sorted(files, key=lambda file: file.path):
            archive.writestr(_info(file.path, _FILE_MODE << 16), "".join(f"{line}\n" for line in file.lines).encode())
    return out.getvalue()


def _info(name: str, attributes: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # the earliest time that the ZIP format can represent
    info.create_system, info.external_attr = _UNIX, attributes
    return info
