"""The size of an artifact in bytes, and whether it is within a limit."""

import os
from collections import Counter
from enum import StrEnum

import msgspec

from harness.compression.artifact import MANIFEST, Artifact, files_of
from harness.config.task import Counted, Limit
from harness.core.errors import UserError
from harness.models.tensor_spec import Component

_METADATA = {MANIFEST, "config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json"}


class Extra(StrEnum):
    """The content of an artifact beside tensors."""

    METADATA = "metadata"
    TOKENIZER = "tokenizer"


class Share(msgspec.Struct, frozen=True):
    """The exact bytes of one component of the model (a `Component`), or of one kind of other content.

    That is `metadata` (manifest, headers of the weight files, configuration) or `tokenizer` (its files and the chat
    template).
    """

    component: str
    bytes: int


class SizeReport(msgspec.Struct, frozen=True):
    """The measured size of an artifact, with its id.

    Attributes:
        parameters: number of weights of the model, however they are stored.
        total: bytes of all files in the directory.
        weights: bytes of the tensors, without headers, manifest, configuration and tokenizer.
        shares: bytes by component; they add up to the total.
    """

    system: str
    artifact: str
    parameters: int
    total: int
    weights: int
    shares: tuple[Share, ...]

    def counted(self, limit: Limit) -> int:
        """Return the bytes that count against a limit."""
        return self.weights if limit.counts is Counted.WEIGHTS else self.total


def measure(artifact: Artifact) -> SizeReport:
    """Measure the size of an artifact from every file that is in its directory now.

    Raises:
        UserError: the directory was changed after it was opened.
    """
    manifest = artifact.manifest
    total = sum(os.stat(artifact.path / name).st_size for name in files_of(artifact.path))  # noqa: PTH116
    tensors, files = _tensor_bytes(artifact), _file_bytes(artifact)
    counts = [(str(kind), tensors[kind]) for kind in Component] + [(str(kind), files[kind]) for kind in Extra]
    shares = tuple(Share(*each) for each in counts)
    if sum(share.bytes for share in shares) != total:
        raise UserError(f"{artifact.path} changed while its size was measured: run this again.")
    return SizeReport(manifest.system, artifact.id, manifest.parameters, total, tensors.total(), shares)


def verdict(report: SizeReport, limit: Limit) -> bool:
    """Whether the artifact is within the limit."""
    return limit.admits(report.counted(limit))


def render(report: SizeReport, limit: Limit) -> str:
    """Return the report as text: shares, total and weights in bytes, GB (1e9) and GiB (2**30), and the verdict."""
    lines = [f"{report.system}, {report.parameters:,} parameters, artifact {report.artifact}"]
    lines += [_row(each.component, each.bytes, f"{100 * each.bytes / report.total:5.1f} %") for each in report.shares]
    lines.append(_row("total", report.total, _units(report.total)))
    lines.append(_row("weights only", report.weights, _units(report.weights)))
    spare = limit.bytes - report.counted(limit)
    sense = "below" if limit.strict else "at most"
    lines.append(_row("limit", limit.bytes, f"{_units(limit.bytes)}, {sense}, counting {limit.counts}"))
    lines.append(f"PASS: {spare:,} bytes to spare" if verdict(report, limit) else f"FAIL: {-spare:,} bytes over")
    return "\n".join(lines)


def _tensor_bytes(artifact: Artifact) -> Counter[Component]:
    shares: Counter[Component] = Counter()
    for file in artifact.weight_files.values():
        for key, entry in file.entries.items():
            shares[artifact.spec(artifact.tensor_of(key)).component] += entry.nbytes
    return shares


def _file_bytes(artifact: Artifact) -> Counter[Extra]:
    shares = Counter({Extra.METADATA: sum(file.header_bytes for file in artifact.weight_files.values())})
    for name in {*artifact.manifest.files, MANIFEST} - set(artifact.weight_files):
        shares[Extra.METADATA if name in _METADATA else Extra.TOKENIZER] += (artifact.path / name).stat().st_size
    return shares


def _units(count: int) -> str:
    return f"{count / 1e9:.3f} GB, {count / 2**30:.3f} GiB"


def _row(label: str, count: int, note: str) -> str:
    return f"  {label:<13}{count:>15,} bytes  {note}"
