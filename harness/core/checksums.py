"""sha256 sums of files, remembered so that an unchanged file of many gigabytes is hashed once."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.core.errors import UserError
from harness.core.files import sha256_of, write_json


class FileDigest(msgspec.Struct, frozen=True):
    """What a file holds: the sha256 of its bytes (64 hex digits), and how many they are."""

    sha256: str
    bytes: int


class _Row(msgspec.Struct, frozen=True):
    """A remembered sum, and the file's state when it was taken.

    The state is size, time of last change of the contents and of the inode (nanoseconds), and inode number. The
    inode's time cannot be set back by ordinary means, so a byte edited with `touch -d` afterwards is found too.
    """

    sum: FileDigest
    mtime_ns: int
    ctime_ns: int
    inode: int


def directory_digests(directory: Path, names: Iterable[str], cache: Path) -> dict[str, FileDigest]:
    """Return the sums of files of a directory; those unchanged since the last call are not read again.

    Args:
        directory: the folder that the names are relative to; what is remembered survives its renaming.
        names: relative paths.
        cache: folder in which sums are remembered.

    Raises:
        UserError: a file is missing or cannot be read.
    """
    try:
        state = directory.stat()
        memory = cache / "sums" / f"{state.st_dev}-{state.st_ino}.json"
        known = _recall(memory)
        rows = {name: _row(directory / name, known.get(name)) for name in names}
    except OSError as error:
        raise UserError(f"Cannot read {error.filename or directory}: {error.strerror or error}.") from error
    if any(known.get(name) != row for name, row in rows.items()):
        write_json(memory, {**known, **rows})
    return {name: row.sum for name, row in rows.items()}


def digest_file(path: Path) -> FileDigest:
    """Return the sum of a file's bytes, read now.

    Raises:
        OSError: it cannot be read.
    """
    return FileDigest(sha256_of(path), path.stat().st_size)


def _row(path: Path, known: _Row | None) -> _Row:
    # The state is taken before the bytes are read: a change while hashing makes the row stale, not wrong.
    state = path.stat()
    same = (known.mtime_ns, known.ctime_ns, known.inode, known.sum.bytes) if known else None
    if known and same == (state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_size):
        return known
    return _Row(digest_file(path), state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


def _recall(memory: Path) -> dict[str, _Row]:
    """Read what is remembered; a memory that does not read is forgotten, since everything in it can be computed."""
    try:
        return msgspec.json.decode(memory.read_bytes(), type=dict[str, _Row])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}
