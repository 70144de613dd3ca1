"""sha256 checksums of files, cached so that an unchanged file of many gigabytes is hashed once."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.core.errors import UserError
from harness.core.files import sha256_of
from harness.core.store import Store


class FileDigest(msgspec.Struct, frozen=True):
    """The sha256 of a file's bytes (64 hex digits), and their number."""

    sha256: str
    bytes: int


class _Row(msgspec.Struct, frozen=True):
    """A cached checksum, with the file's state when it was computed: its times in nanoseconds, and its inode number.

    Ordinary tools cannot set the inode change time, so an edit that is hidden with `touch -d` is detected too.
    """

    sum: FileDigest
    mtime_ns: int
    ctime_ns: int
    inode: int


_CHECKSUMS: Store[dict[str, _Row]] = Store("checksums", dict[str, _Row], format=1)


def directory_digests(directory: Path, names: Iterable[str], cache: Path) -> dict[str, FileDigest]:
    """Return the checksums of files in a directory by relative path; files unchanged since the last call are not read.

    The entry in the folder `cache` is found by the directory's inode, so the directory may be renamed.

    Raises:
        UserError: a file is missing or cannot be read.
    """
    try:
        state = directory.stat()
        stored = _CHECKSUMS.entry(cache / "checksums", [state.st_dev, state.st_ino])
        known = stored.recall() or {}
        rows = {name: _row(directory / name, known.get(name)) for name in names}
    except OSError as error:
        raise UserError(f"Cannot read {error.filename or directory}: {error.strerror or error}.") from error
    if any(known.get(name) != row for name, row in rows.items()):
        stored.write({**known, **rows})
    return {name: row.sum for name, row in rows.items()}


def digest_file(path: Path) -> FileDigest:
    """Return the checksum of a file without using the cache.

    Raises:
        OSError: the file cannot be read.
    """
    return FileDigest(sha256_of(path), path.stat().st_size)


def _row(path: Path, known: _Row | None) -> _Row:
    # The state is read before the bytes: a change during hashing makes the row outdated, not wrong.
    state = path.stat()
    same = (known.mtime_ns, known.ctime_ns, known.inode, known.sum.bytes) if known else None
    if known and same == (state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_size):
        return known
    return _Row(digest_file(path), state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
