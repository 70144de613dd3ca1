"""Build an artifact from a checkpoint and a plan; the same inputs and measurements give the same bytes.

Tensors are encoded one at a time. Each file of the artifact (a layer, the embedding, the head, the rest) is published
whole in a `.partial` directory, which is renamed when it is complete: an interrupted build resumes with the first file
that is missing.
"""

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path

import msgspec

from harness.compression.artifact import MANIFEST, Artifact, Manifest, files_of, open_artifact, weights_file
from harness.compression.codecs.base import Codec, Parts
from harness.compression.measured_tensors import read_measured_tensors, tensors_path
from harness.compression.plan import Assignment, Plan
from harness.compression.transforms.base import Transform, WeightSource, specs_after, transformed
from harness.core.checksums import directory_digests
from harness.core.errors import UserError
from harness.core.files import key_of, publish_directory, published, read_json, write_json
from harness.core.locks import exclusive
from harness.core.progress import progress
from harness.core.safetensors_io import write_tensors
from harness.core.workdir import WorkDir
from harness.models.checkpoint import Checkpoint

KEY_DIGITS = 16
CONFIG = "config.json"
_PREFIX = 4096
"""Bytes of each tensor that are hashed first when equal tensors are searched."""


@dataclass(frozen=True)
class _BuildJob:
    """One build: its inputs, its manifest so far, and its directories."""

    checkpoint: Checkpoint
    manifest: Manifest
    partial: Path
    workdir: WorkDir

    @cached_property
    def weights(self) -> WeightSource:
        """The weights that are encoded, after the transforms."""
        return transformed(self.checkpoint, self.manifest.plan.transforms, self.workdir.measurements)

    @property
    def groups(self) -> dict[str, list[Assignment]]:
        """Assignments of the tensors that are stored, by file."""
        groups: defaultdict[str, list[Assignment]] = defaultdict(list)
        for row in self.manifest.plan.assignments:
            if row.tensor.name not in self.manifest.aliases:
                groups[weights_file(row.tensor)].append(row)
        return groups


def build(checkpoint: Checkpoint, plan: Plan, role: str, workdir: WorkDir) -> Artifact:
    """Build an artifact, resume an interrupted build, or return the existing artifact.

    Peak memory beside the libraries: the largest tensor in its stored form (memory-mapped), its parts, and the
    codec's working memory. For Qwen2-Audio-7B that is under 3 GiB.

    The plan must be made for exactly these tensors. The artifact is written to `artifacts/<system>-<key>` in the work
    directory.

    Raises:
        UserError: a weight is not finite, a tensor does not suit its codec, a measurement is missing, another process
            builds the same artifact, or the disk is full (then the same call resumes later).
    """
    manifest = _unfinished_manifest(checkpoint, plan, role, workdir)
    final = _path(manifest, workdir)
    if final.is_dir():
        return open_artifact(final, workdir.cache)
    partial = final.with_name(f"{final.name}.partial")
    with exclusive(final, f"is building {final.name}", workdir.locks):
        if final.is_dir():  # another process has finished it in the meantime
            shutil.rmtree(partial, ignore_errors=True)
        else:
            aliased = msgspec.structs.replace(manifest, aliases=_aliases(checkpoint, plan))
            _fill(_BuildJob(checkpoint, aliased, partial, workdir))
            if checkpoint.fingerprint(workdir.cache) != manifest.base:
                shutil.rmtree(partial)
                raise UserError(f"{checkpoint.path} changed during the build: run this again once it is complete.")
            publish_directory(partial, final)
    return open_artifact(final, workdir.cache)


def artifact_path(checkpoint: Checkpoint, plan: Plan, role: str, workdir: WorkDir) -> Path:
    """Return the path of the artifact of these inputs, whether it is built or not."""
    return _path(_unfinished_manifest(checkpoint, plan, role, workdir), workdir)


def _path(manifest: Manifest, workdir: WorkDir) -> Path:
    return workdir.artifacts / f"{manifest.system}-{key_of(manifest.to_json())[:KEY_DIGITS]}"


def _unfinished_manifest(checkpoint: Checkpoint, plan: Plan, role: str, workdir: WorkDir) -> Manifest:
    """Return the manifest without aliases and files, as known before the build; its hash is the artifact's key."""
    if tuple(row.tensor for row in plan.assignments) != specs_after(checkpoint.specs, plan.transforms):
        raise UserError(
            f"The plan of {plan.system!r} was made for another checkpoint than {checkpoint.path}: make a new plan."
        )
    makers: set[Codec | Transform] = {*(row.codec for row in plan.assignments), *plan.transforms}
    libraries = sorted({library for maker in makers for library in maker.libraries})
    return Manifest(
        role=role,
        plan=plan,
        base=checkpoint.fingerprint(workdir.cache),
        datasets=checkpoint.datasets,
        calibration_datasets=plan.datasets,
        parameters=sum(row.tensor.numel for row in plan.assignments),
        libraries={library: metadata.version(library) for library in libraries},
        aliases={},
        files={},
    )


def _aliases(checkpoint: Checkpoint, plan: Plan) -> dict[str, str]:
    """Return the tensors that equal an earlier one in shape, type, data and codec, with that tensor's name.

    Only tensors that agree in their first bytes are read whole. Tensors that a transform changes, or whose encoder
    reads measurements, are not compared: equal data do not imply equal parts.
    """
    alike: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
    for row in plan.assignments:
        if row.evidence or any(transform.changes(row.tensor) for transform in plan.transforms):
            continue
        start = hashlib.sha256(checkpoint.data(row.tensor.name)[:_PREFIX]).digest()
        alike[row.tensor.shape, row.tensor.dtype, row.codec, start].append(row.tensor.name)
    aliases = {}
    for names in alike.values():
        first: dict[bytes, str] = {}
        for name in names if len(names) > 1 else ():
            target = first.setdefault(hashlib.sha256(checkpoint.data(name)).digest(), name)
            if target != name:
                aliases[name] = target
    return dict(sorted(aliases.items()))


def _fill(job: _BuildJob) -> None:
    """Write the files that are missing in the partial directory, the manifest last."""
    try:
        job.partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot write {job.partial}: {error.strerror}: name another work directory.") from error
    groups = job.groups
    names = [*groups, *(path.name for path in job.checkpoint.companions)]
    for stray in set(files_of(job.partial)) - set(names):  # temporary files of a killed build
        (job.partial / stray).unlink()
    weights = sum(row.tensor.numel for rows in groups.values() for row in rows)
    with progress(f"build {job.manifest.system} (weights)", weights) as advance:
        for name, rows in groups.items():
            if not (job.partial / name).exists():
                _write_group(job, rows, job.partial / name)
            advance(sum(row.tensor.numel for row in rows))
    for source in job.checkpoint.companions:
        _write_companion(job, source)
    sums = directory_digests(job.partial, sorted(names), job.workdir.cache)
    write_json(job.partial / MANIFEST, msgspec.structs.replace(job.manifest, files=sums).to_json())


def _write_companion(job: _BuildJob, source: Path) -> None:
    """Copy a configuration or tokenizer file, or write a config.json that a transform changes."""
    transforms = job.manifest.plan.transforms if source.name == CONFIG else ()
    original = changed = read_json(source) if transforms else {}
    for transform in transforms:
        changed = transform.config(changed)
    if changed != original:
        write_json(job.partial / source.name, changed)
        return
    with published(job.partial / source.name) as temporary:
        shutil.copyfile(source, temporary)


def _write_group(job: _BuildJob, rows: Sequence[Assignment], target: Path) -> None:
    encoded = {row.tensor.name + suffix: part for row in rows for suffix, part in _encode(job, row).items()}
    with published(target) as temporary:
        write_tensors(temporary, encoded)


def _encode(job: _BuildJob, row: Assignment) -> Parts:
    try:
        tensor = job.weights.tensor(row.tensor.name)
        paths = [(tensors_path(job.workdir.measurements, key), job.manifest.plan.checksum(key)) for key in row.evidence]
        return row.codec.encode_with(tensor, row.tensor, [read_measured_tensors(*each) for each in paths])
    except UserError as error:
        raise UserError(f"Tensor {row.tensor.name}: {error}") from error
