"""The description that the campaign requires for every archive, derived from the artifact."""

from collections import Counter
from dataclasses import dataclass

import msgspec

from harness.compression.artifact import Manifest
from harness.compression.codecs.base import Codec
from harness.compression.registry import get_system
from harness.compression.size import SizeReport, verdict
from harness.config.task import Task
from harness.submission.condition import Condition, supporting_data
from harness.submission.manifest import ModelName, Submission


@dataclass(frozen=True)
class ArchiveFile:
    """A file of the archive.

    Attributes:
        path: in the archive.
        test_set: its name.
        lines: translations, without line breaks.
        signature: settings with which they were generated.
    """

    path: str
    test_set: str
    lines: tuple[str, ...]
    signature: str


@dataclass(frozen=True)
class Description:
    """The contents of a description: name and parts are the model's, manifest and size the artifact's."""

    name: str
    parts: ModelName
    submission: Submission
    task: Task
    manifest: Manifest
    size: SizeReport
    files: tuple[ArchiveFile, ...]


def render_description(description: Description) -> str:
    """Return the description as Markdown; equal artifacts and hypotheses give equal text."""
    sections = (
        ("Entry", _entry(description)),
        ("Storage size", _size(description)),
        ("Number of parameters", [f"- {description.size.parameters:,}"]),
        ("Techniques", _techniques(description.manifest)),
        ("Data", _data(description)),
        ("Files", [_file(file) for file in description.files]),
    )
    body = "\n\n".join("\n".join([f"## {title}", "", *lines]) for title, lines in sections)
    return f"# {description.name}\n\n{body}\n"


def _entry(description: Description) -> list[str]:
    system = get_system(description.manifest.system)
    role = description.task.role(description.manifest.role)
    contact = f", {description.submission.contact}" if description.submission.contact else ""
    base = f", {role.hub}" if role.hub else ""
    return [
        f"- Team: {description.submission.team}{contact}",
        f"- Task: {description.task.title} (`{description.task.name}`), direction {description.parts.direction}",
        f"- Condition: {description.parts.condition}, {description.parts.kind} entry",
        f"- System: `{system.name}`: {system.summary} ({system.source})",
        f"- Base model: the {description.manifest.role} checkpoint{base}, sha256 `{description.manifest.base}`",
        f"- Artifact: `{description.size.artifact}`",
    ]


def _size(description: Description) -> list[str]:
    size, limit = description.size, description.task.limit
    word, sign = "PASS" if verdict(size, limit) else "FAIL", "<" if limit.strict else "<="
    counts = {"All files": size.total, "Weights only": size.weights}
    return [
        *(f"- {what}: {n:,} bytes = {n / 1e9:.6f} GB = {n / 2**30:.6f} GiB" for what, n in counts.items()),
        f"- Limit: {sign} {limit.bytes:,} bytes, counting {limit.counts}: {word}",
    ]


def _techniques(manifest: Manifest) -> list[str]:
    """List every codec with its arguments and what it stores, by decreasing number of weights."""
    tensors, weights = Counter[str](), Counter[str]()
    for row in manifest.plan.assignments:
        codec = _codec_text(row.codec)
        tensors[codec] += 1
        weights[codec] += row.tensor.numel
    order = sorted(tensors, key=lambda codec: (-weights[codec], codec))
    return [f"- `{codec}`: tensors: {tensors[codec]}, weights: {weights[codec]:,}" for codec in order]


def _codec_text(codec: Codec) -> str:
    fields = msgspec.to_builtins(codec)
    return f"{fields.pop('codec')}({', '.join(f'{key}={value}' for key, value in sorted(fields.items()))})"


def _data(description: Description) -> list[str]:
    manifest, task = description.manifest, description.task
    lines = [
        f"- Data sets that supported the compression: {_names(supporting_data(manifest, task))}",
        f"- of these, for calibration: {_names(manifest.calibration_datasets)}",
        f"- Not counted, pre-training of the campaign's base model: {_names(task.role(manifest.role).pretraining)}",
    ]
    if description.parts.condition is Condition.CONSTRAINED:
        lines.append(f"- Allowed in the constrained condition: {_names(task.names.constrained_data)}")
    return lines


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "none"


def _file(file: ArchiveFile) -> str:
    return f"- `{file.path}`: {file.test_set}, {len(file.lines)} segments, made with `{file.signature}`"
