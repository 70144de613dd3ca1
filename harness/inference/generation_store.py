"""Stored hypotheses: one folder per request, with one file per batch while a run is in progress.

<key>.partial/batches/00007.jsonl    a finished batch, one hypothesis per line; a killed run leaves these behind
<key>/hypotheses.jsonl               all hypotheses, in the order of the segmentation
<key>/header.json                    envelope of a `Header`; its inputs are the request's
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.core.errors import UserError
from harness.core.files import publish_directory, read_bounded, write_bytes
from harness.core.findings import Finding
from harness.core.store import Store, StoreEntry
from harness.inference.hypothesis import Hypothesis, HypothesisSet

_HEADER, _HYPOTHESES = "header.json", "hypotheses.jsonl"


class Header(msgspec.Struct, frozen=True):
    """Describes a stored set of hypotheses; see `HypothesisSet` for the fields that both have.

    Attributes:
        sha256: of `hypotheses.jsonl`; filled in when that file is written.
    """

    artifact: str
    system: str
    test_set: str
    direction: str
    signature: str
    findings: tuple[Finding, ...]
    sha256: str = ""


HYPOTHESES = Store("hypotheses", Header, format=2, advice="remove its folder and generate again")


class GenerationStore:
    """The stored hypotheses of one request.

    Args:
        folder: where hypotheses are stored, e.g. `WorkDir.hypotheses`.
        inputs: everything that determines the hypotheses, as JSON-ready values.
    """

    def __init__(self, folder: Path, inputs: object) -> None:
        self._key, self._inputs = HYPOTHESES.key(inputs), inputs
        self.path = folder / self._key
        """Folder of the complete hypotheses."""
        self._partial = folder / f"{self._key}.partial"

    def complete(self) -> HypothesisSet | None:
        """Return the hypotheses, or None where they are not complete."""
        return _load(self._header(self.path))

    def has(self, number: int) -> bool:
        """Whether a batch is finished."""
        return self._batch(number).is_file()

    def write_batch(self, number: int, rows: Iterable[Hypothesis]) -> None:
        """Publish a finished batch."""
        write_bytes(self._batch(number), _lines(rows))

    def merge(self, header: Header, batches: int) -> HypothesisSet:
        """Publish all batches as one set in the order of the segmentation, and return it.

        Raises:
            UserError: a batch's file is damaged.
        """
        rows = [row for number in range(batches) for row in _parse(self._batch(number))]
        data = _lines(sorted(rows, key=lambda row: row.index))
        write_bytes(self._partial / _HYPOTHESES, data)
        header = msgspec.structs.replace(header, sha256=hashlib.sha256(data).hexdigest())
        self._header(self._partial).write(header)
        publish_directory(self._partial, self.path)
        shutil.rmtree(self.path / "batches", ignore_errors=True)
        return load_hypotheses(self.path)

    def _header(self, folder: Path) -> StoreEntry[Header]:
        return StoreEntry(HYPOTHESES, folder / _HEADER, self._key, self._inputs)

    def _batch(self, number: int) -> Path:
        return self._partial / "batches" / f"{number:05}.jsonl"


def load_hypotheses(folder: Path) -> HypothesisSet:
    """Read stored hypotheses from `<key>/` in the work directory's hypotheses.

    Raises:
        UserError: they are missing, damaged or of another request, were edited, or have a newer format.
    """
    # The folder's name is the key that the header must have; its inputs would only be needed for writing.
    found = _load(StoreEntry(HYPOTHESES, folder / _HEADER, folder.name, inputs=None))
    if found is None:
        raise UserError(f"{folder} holds no hypotheses that this version can read: generate them again.")
    return found


def _load(entry: StoreEntry[Header]) -> HypothesisSet | None:
    header = entry.read()
    if header is None:
        return None
    path = entry.path.with_name(_HYPOTHESES)
    if hashlib.sha256(read_bounded(path)).hexdigest() != header.sha256:
        raise UserError(f"{path} was changed after it was written: {HYPOTHESES.advice}.")
    shared = {name: getattr(header, name) for name in Header.__struct_fields__ if name != "sha256"}
    return HypothesisSet(key=entry.key, hypotheses=_parse(path), **shared)


def _parse(path: Path) -> tuple[Hypothesis, ...]:
    try:
        return tuple(msgspec.json.decode(line, type=Hypothesis) for line in read_bounded(path).splitlines())
    except msgspec.DecodeError as error:
        raise UserError(f"{path} cannot be read ({error}): remove it and generate again.") from error


def _lines(rows: Iterable[Hypothesis]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
