"""External hypotheses: translations of other teams' systems, imported from a file of lines.

The system itself is not available, so its size is what its authors declare; reports mark it as declared.
"""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.core.errors import UserError
from harness.core.files import key_of, read_bounded, sha256_of
from harness.core.store import Store
from harness.core.text import one_line
from harness.core.workdir import WorkDir
from harness.scoring.alignment import Lines
from harness.testsets.segments import Segment
from harness.testsets.testset import TestSet

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LIMIT = 64 << 20


@dataclass(frozen=True)
class HypothesisImport:
    """A file of translations and its description by the user.

    Attributes:
        name: the system's name in reports.
        file: plain text, one line per segment, or a CSV file.
        column: the CSV file's column with the translations; empty for plain text.
        declared_bytes: the system's size, as its authors declare it.
        segments: the translated segments; empty where the lines follow the gold segments or the recordings.
    """

    name: str
    file: Path
    column: str
    declared_bytes: int
    segments: tuple[Segment, ...] = ()


class ExternalHypotheses(msgspec.Struct, frozen=True, kw_only=True):
    """Imported translations of one test set in one direction.

    Attributes:
        declared_bytes: the system's size, as declared; None where nothing is declared.
        source: name and sha256 of the imported file.
        segments: the translated segment of each line.
        texts: one line per segment.
    """

    name: str
    test_set: str
    direction: str
    declared_bytes: int | None
    source: str
    segments: tuple[Segment, ...]
    texts: tuple[str, ...]

    @property
    def artifact(self) -> str:
        """Checksum of the translations, marked as external, used in place of an artifact's id."""
        return f"external:{key_of(self)}"

    @property
    def lines(self) -> Lines:
        """The translations in the form that scoring takes."""
        size = "nothing" if self.declared_bytes is None else f"{self.declared_bytes} bytes"
        origin = f"gen:external|declared:{size}|artifact:{self.artifact}"
        return Lines(
            system=self.name,
            test_set=self.test_set,
            direction=self.direction,
            origin=origin,
            segments=self.segments,
            texts=self.texts,
        )


IMPORTS = Store("external-hypotheses", ExternalHypotheses, 2, "remove it and import again")


def import_hypotheses(
    wanted: HypothesisImport, test_set: TestSet, direction: str, workdir: WorkDir
) -> ExternalHypotheses:
    """Read translations from a file and store them, replacing an older import under the same name.

    Raises:
        UserError: an invalid name, a file that cannot be read, or lines that do not match the segments.
    """
    if not _NAME.fullmatch(wanted.name):
        raise UserError(f"{wanted.name!r} is not a system name: use letters, digits, dots, hyphens and underscores.")
    texts = read_texts(wanted.file, wanted.column)
    made = ExternalHypotheses(
        name=wanted.name,
        test_set=test_set.name,
        direction=direction,
        declared_bytes=wanted.declared_bytes,
        source=f"{wanted.file.name} {sha256_of(wanted.file)}",
        segments=wanted.segments or segments_for(len(texts), test_set, str(wanted.file)),
        texts=texts,
    )
    if len(made.segments) != len(texts):
        raise UserError(f"{wanted.file} has {len(texts)} lines for {len(made.segments)} segments: give one line each.")
    place = {"name": made.name, "test_set": made.test_set, "direction": made.direction}
    IMPORTS.entry(workdir.external, place, "-".join(place.values())).write(made)
    return made


def segments_for(lines: int, test_set: TestSet, what: str) -> tuple[Segment, ...]:
    """Return the segments that a number of lines must translate: the gold segments, or whole recordings.

    Raises:
        UserError: neither has that number.
    """
    gold = test_set.gold.segments if test_set.gold else ()
    if lines == len(gold):
        return gold
    if lines == len(test_set.file_order):
        return tuple(Segment(wav, 0.0, 0.0) for wav in test_set.file_order)
    raise UserError(
        f"{what} has {lines} lines, but {test_set.name} has {len(gold)} gold segments and {len(test_set.file_order)} "
        "recordings: give the segmentation that was translated (--segmentation FILE.yaml)."
    )


def read_texts(path: Path, column: str) -> tuple[str, ...]:
    """Read translations, each as one line: plain text, or one column of a CSV file with a header.

    Raises:
        UserError: it is missing, larger than 64 MB, not UTF-8, not a CSV file, or lacks the column.
    """
    try:
        text = read_bounded(path, _LIMIT).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: save it as UTF-8.") from error
    if path.suffix.lower() == ".csv":
        return tuple(one_line(cell) for cell in _column(path, text, column))
    if column:
        raise UserError(f"{path} is not a .csv file, so it has no column {column!r}: leave out --column.")
    return tuple(one_line(line) for line in text.removesuffix("\n").split("\n")) if text else ()


def _column(path: Path, text: str, column: str) -> list[str]:
    try:
        header, *rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (csv.Error, ValueError) as error:
        raise UserError(f"{path} is not a CSV file with a header ({error}): correct it.") from error
    if header.count(column) != 1:
        raise UserError(f"{path} has no single column {column!r}: name one of {', '.join(header)} with --column.")
    filled = [row for row in rows if row]
    for number, row in enumerate(filled, start=1):
        if len(row) != len(header):
            raise UserError(f"{path}, row {number}, has {len(row)} cells for {len(header)} columns: correct it.")
    return [row[header.index(column)] for row in filled]


def load_external_hypotheses(test_set: str, direction: str, workdir: WorkDir) -> tuple[ExternalHypotheses, ...]:
    """Return everything that was imported for a test set and a direction, by name.

    Raises:
        UserError: a stored import cannot be read, or was written by a newer version.
    """
    every = (made for _, made in IMPORTS.open_all(workdir.external))
    return tuple(made for made in every if (made.test_set, made.direction) == (test_set, direction))
