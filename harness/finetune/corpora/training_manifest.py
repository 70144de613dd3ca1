"""The verb `training_manifest`: released corpora + mixture -> the training manifest that `finetune` reads."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.core.errors import UserError
from harness.core.files import write_bytes
from harness.finetune.corpora.base import Listing
from harness.finetune.corpora.covost import read_covost
from harness.finetune.corpora.europarl_st import read_europarl_st
from harness.finetune.corpora.mixture import CorpusName, Mixture, Part
from harness.finetune.corpora.sample import Chosen, SampleRequest, choose

_READERS: dict[CorpusName, Callable[[Path, str, str], Listing]] = {
    CorpusName.COVOST: read_covost,
    CorpusName.EUROPARL_ST: read_europarl_st,
}


@dataclass(frozen=True)
class Places:
    """Where the corpora lie; None for those that are not there.

    Attributes:
        covost: folder with CoVoST 2's TSV files and Common Voice's `clips`.
        europarl_st: folder of the release with one folder per language.
    """

    covost: Path | None = None
    europarl_st: Path | None = None

    def of(self, corpus: CorpusName) -> Path:
        """Return a corpus's folder.

        Raises:
            UserError: it was not named, or is not there.
        """
        option, path = {
            CorpusName.COVOST: ("--covost", self.covost),
            CorpusName.EUROPARL_ST: ("--europarl-st", self.europarl_st),
        }[corpus]
        if path is None:
            raise UserError(f"The mixture needs the corpus {corpus}: name its folder with {option}.")
        if not path.is_dir():
            raise UserError(f"There is no folder {path} with the corpus {corpus}: name another with {option}.")
        return path


class PartReport(msgspec.Struct, frozen=True):
    """What a part of the mixture gave.

    Attributes:
        corpus: which.
        language: code of the target language.
        rows: how many were chosen.
        hours: how long they are together.
        left_out: rows that were not fit, by reason; those that were never looked at are not among them.
    """

    corpus: CorpusName
    language: str
    rows: int
    hours: float
    left_out: dict[str, int]


class ManifestReport(msgspec.Struct, frozen=True):
    """A training manifest that was written: its path, and what each part gave."""

    path: str
    parts: tuple[PartReport, ...]


def training_manifest(mixture: Mixture, places: Places, output: Path) -> ManifestReport:
    """Choose the rows of a mixture and publish them as JSON lines; the same corpora and seed give the same rows.

    Args:
        mixture: which corpora and how many rows.
        places: where the corpora lie.
        output: the manifest; audio inside its folder is named relative to it, other audio by its whole path.

    Raises:
        UserError: a corpus is missing or broken, or has not enough rows that can be used.
    """
    for part in mixture.parts:
        places.of(part.corpus)  # what is missing is said before anything is read
    lines: list[str] = []
    reports = []
    for part in mixture.parts:
        chosen, report = _part(mixture, part, places.of(part.corpus))
        lines += _lines(part, chosen, output.resolve().parent)
        reports.append(report)
    write_bytes(output, "".join(lines).encode())
    return ManifestReport(str(output), tuple(reports))


def _part(mixture: Mixture, part: Part, root: Path) -> tuple[list[Chosen], PartReport]:
    listing = _READERS[part.corpus](root.resolve(), mixture.speech, part.tag or part.language)
    wanted = SampleRequest(f"{part.corpus} {mixture.speech}-{part.language}", part.rows, mixture.seed, mixture.window)
    chosen = choose(listing.examples, wanted, listing.left_out)
    hours = sum(each.seconds for each in chosen) / 3600
    return chosen, PartReport(part.corpus, part.language, len(chosen), hours, dict(listing.left_out))


def _lines(part: Part, chosen: list[Chosen], folder: Path) -> Iterator[str]:
    for each in chosen:
        audio = each.example.audio
        row = {
            "audio": str(audio.relative_to(folder) if audio.is_relative_to(folder) else audio),
            "language": part.language,
            "text": " ".join(each.example.text.split()),
            "dataset": str(part.corpus),
            "offset": each.example.offset,
            "duration": each.example.duration,
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"
