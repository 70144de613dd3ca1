"""Where translations are kept: a folder per request, one file per batch while it is made, one file when it is whole.

<key>.partial/batches/00007.jsonl    a finished batch, one hypothesis a line; what a killed run leaves behind
<key>/hypotheses.jsonl               all of them, in the order of the segmentation
<key>/header.json                    what they are, and the sum of the file above
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.core.errors import UserError, check_format
from harness.core.files import publish_directory, read_bounded, read_json, write_bytes, write_json
from harness.core.findings import Finding
from harness.inference.hypothesis import Hypothesis, HypothesisSet

FORMAT = 1


class Header(msgspec.Struct, frozen=True):
    """What a set of translations is; see `HypothesisSet` for the fields that it shares.

    Attributes:
        sha256: of hypotheses.jsonl.
        format_version: of the folder.
    """

    key: str
    artifact: str
    system: str
    test_set: str
    direction: str
    signature: str
    findings: tuple[Finding, ...]
    sha256: str = ""
    format_version: int = FORMAT


class GenerationStore:
    """The stored translations of one request."""

    def __init__(self, folder: Path, key: str) -> None:
        self._final = folder / key
        self._partial = folder / f"{key}.partial"
        self._batches = self._partial / "batches"

    def complete(self) -> HypothesisSet | None:
        """Return the translations when they are whole."""
        return load_hypotheses(self._final) if self._final.is_dir() else None

    def has(self, number: int) -> bool:
        """Whether a batch is finished."""
        return self._batch(number).is_file()

    def write_batch(self, number: int, rows: Iterable[Hypothesis]) -> None:
        """Publish a finished batch."""
        write_bytes(self._batch(number), _lines(rows))

    def merge(self, header: Header, batches: int) -> HypothesisSet:
        """Put all batches in order, publish them as one, and return them.

        Raises:
            UserError: a batch's file was damaged.
        """
        rows = [row for number in range(batches) for row in _read_rows(self._batch(number))]
        data = _lines(sorted(rows, key=lambda row: row.index))
        write_bytes(self._partial / "hypotheses.jsonl", data)
        whole = msgspec.structs.replace(header, sha256=hashlib.sha256(data).hexdigest())
        write_json(self._partial / "header.json", whole)
        publish_directory(self._partial, self._final)
        shutil.rmtree(self._final / "batches", ignore_errors=True)
        return load_hypotheses(self._final)

    def _batch(self, number: int) -> Path:
        return self._batches / f"{number:05}.jsonl"


def load_hypotheses(folder: Path) -> HypothesisSet:
    """Read stored translations.

    Args:
        folder: `<key>/` in the work directory's hypotheses.

    Raises:
        UserError: missing, of a newer format, or edited after they were made.
    """
    header = _read_header(folder / "header.json")
    path = folder / "hypotheses.jsonl"
    if hashlib.sha256(read_bounded(path)).hexdigest() != header.sha256:
        raise UserError(f"{path} was changed after it was made: remove the folder {folder} and generate again.")
    shared = {name: getattr(header, name) for name in Header.__struct_fields__[:7]}
    return HypothesisSet(**shared, hypotheses=_read_rows(path))


def _read_header(path: Path) -> Header:
    value = read_json(path)
    check_format(str(path), value.get("format_version") if isinstance(value, dict) else None, FORMAT)
    try:
        return msgspec.convert(value, Header)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} does not read ({error}): remove its folder and generate again.") from error


def _read_rows(path: Path) -> tuple[Hypothesis, ...]:
    try:
        rows = [msgspec.json.decode(line, type=Hypothesis) for line in read_bounded(path).splitlines()]
    except msgspec.DecodeError as error:
        raise UserError(f"{path} does not read ({error}): remove it and generate again.") from error
    return tuple(rows)


def _lines(rows: Iterable[Hypothesis]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
