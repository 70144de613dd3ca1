"""Training manifests: from a mixture and released corpora to the JSON lines that `finetune` reads."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import msgspec

from harness.core.errors import UserError
from harness.core.files import write_bytes
from harness.finetune.corpora.base import CORPORA
from harness.finetune.corpora.mixture import Mixture, Part
from harness.finetune.corpora.sample import SampledRow, SampleRequest, sample


class PartReport(msgspec.Struct, frozen=True):
    """The rows of one part of a mixture.

    Attributes:
        hours: total length of the rows.
        left_out: number of unusable rows by reason, among those that were looked at.
    """

    corpus: str
    language: str
    rows: int
    hours: float
    left_out: dict[str, int]


class ManifestReport(msgspec.Struct, frozen=True):
    """A training manifest that was written: its path and its parts."""

    path: str
    parts: tuple[PartReport, ...]


def training_manifest(mixture: Mixture, folders: Mapping[str, Path], output: Path) -> ManifestReport:
    """Choose the rows of a mixture and write them as JSON lines; equal corpora and seeds give equal rows.

    Args:
        mixture: the composition.
        folders: folder of each corpus, by registered name.
        output: the manifest; paths of audio inside its folder are relative to it, others absolute.

    Raises:
        UserError: a corpus is missing or damaged, or does not have enough usable rows.
    """
    # Before any corpus is read, so that a missing option is not reported after an hour.
    roots = [_folder(part.corpus, folders) for part in mixture.parts]
    sampled = [_sample_part(mixture, part, root) for part, root in zip(mixture.parts, roots, strict=True)]
    lines = (_lines(part, made[0], output.resolve().parent) for part, made in zip(mixture.parts, sampled, strict=True))
    write_bytes(output, "".join(chain.from_iterable(lines)).encode())
    return ManifestReport(str(output), tuple(report for _, report in sampled))


def _folder(name: str, folders: Mapping[str, Path]) -> Path:
    option, path = CORPORA.get(name).option, folders.get(name)
    if path is None:
        raise UserError(f"The mixture needs the corpus {name}: give its folder with {option}.")
    if not path.is_dir():
        raise UserError(f"There is no folder {path} with the corpus {name}: give another with {option}.")
    return path.resolve()


def _sample_part(mixture: Mixture, part: Part, root: Path) -> tuple[list[SampledRow], PartReport]:
    listing = CORPORA.get(part.corpus).read(root, mixture.speech, part.tag or part.language)
    label = f"{part.corpus} {mixture.speech}-{part.language}"
    chosen = sample(listing.rows, SampleRequest(label, part.rows, mixture.seed, mixture.window), listing.left_out)
    hours = sum(each.seconds for each in chosen) / 3600
    return chosen, PartReport(part.corpus, part.language, len(chosen), hours, dict(listing.left_out))


def _lines(part: Part, chosen: list[SampledRow], folder: Path) -> Iterator[str]:
    for each in chosen:
        audio = each.row.audio
        row = {
            "audio": str(audio.relative_to(folder) if audio.is_relative_to(folder) else audio),
            "language": part.language,
            "text": " ".join(each.row.text.split()),
            "dataset": part.corpus,
            "offset": each.row.offset,
            "duration": each.row.duration,
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"
