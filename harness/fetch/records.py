"""What was fetched first: revision and sums, kept in the work directory's cache and enforced from then on."""

from pathlib import Path

import msgspec

from harness.core.checksums import FileDigest
from harness.core.errors import UserError, check_format
from harness.core.files import read_json, write_json
from harness.fetch.download import Expected

FORMAT = 1


class Record(msgspec.Struct, frozen=True):
    """What the first fetch of a source found.

    Attributes:
        revision: commit on the hub; empty for files at addresses of their own.
        files: sum and size by path below the source's target, of what was fetched.
        listing: what the hub says of each file of the revision.
        format_version: of the file.
    """

    revision: str = ""
    files: dict[str, FileDigest] = {}
    listing: dict[str, Expected] = {}
    format_version: int = FORMAT


def read_record(path: Path) -> Record:
    """Return a source's record, an empty one where nothing was fetched yet.

    Raises:
        UserError: it does not read, or was written by a newer version.
    """
    if not path.is_file():
        return Record()
    value = read_json(path)
    check_format(str(path), value.get("format_version") if isinstance(value, dict) else None, FORMAT)
    try:
        return msgspec.convert(value, Record)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} does not read ({error}): remove it to record the source anew.") from error


def write_record(path: Path, record: Record) -> None:
    """Publish a source's record."""
    write_json(path, record)
