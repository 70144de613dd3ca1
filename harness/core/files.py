"""Files that are published whole or not at all, and canonical JSON with its sha256."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from harness.core.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
JSON_LIMIT = 256 << 20  # bytes of the largest JSON or TOML file that is read


def canonical_json(value: object) -> bytes:
    """Serialise a value to its canonical JSON (sorted keys, no spaces, UTF-8): equal values give equal bytes."""
    plain = msgspec.to_builtins(value)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def key_of(value: object) -> str:
    """Return the sha256 (64 hex digits) of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the sha256 (64 hex digits) of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def temporary_beside(path: Path) -> Path:
    """Return the temporary name, in the same folder, under which `path` is written first."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


@contextmanager
def published(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; fsync and rename it to `path` on success, remove it on failure.

    Raises:
        UserError: the folder cannot be written or the disk is full.
    """
    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        advice = ": free some space and run this again, it continues from there" if error.errno in _FULL else ""
        reason = f"{error.strerror or error}; nothing was changed there{advice}"
        raise UserError(f"Cannot write {path}: {reason}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with published(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: object) -> None:
    """Write a value as canonical JSON with a final newline, whole or not at all."""
    write_bytes(path, canonical_json(value) + b"\n")


def publish_directory(partial: Path, final: Path) -> None:
    """Rename a complete `.partial` directory to its final name, replacing an older one."""
    try:
        if final.exists():
            old = final.with_name(f".{final.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            final.replace(old)
            partial.replace(final)
            shutil.rmtree(old, ignore_errors=True)
        else:
            final.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(final)
    except OSError as error:
        raise UserError(f"Cannot publish {final}: {error.strerror or error}.") from error


def read_bounded(path: Path, limit: int = JSON_LIMIT) -> bytes:
    """Return the bytes of a small file.

    Raises:
        UserError: it is missing, unreadable or larger than `limit` bytes.
    """
    try:
        if path.stat().st_size > limit:
            raise UserError(f"{path} is larger than {limit} bytes and was not read: is this the right file?")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: missing, too large, or not JSON.
    """
    try:
        return json.loads(read_bounded(path))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}): restore it or build it again.") from error
