"""Unpacking untrusted archives: only plain files below one folder, within limits of number and size."""

import gzip
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.core.archives.archive_members import is_unsafe, member_faults, shown
from harness.core.errors import UserError

_BLOCK = 1 << 20
_HEADER_LIMIT = 4 << 20
"""Most bytes that a member's header may have; a valid one has some hundred."""
_DIRECTORY_LIMIT = 64 << 20
"""Largest list of members of a ZIP, in bytes."""
_RATIO_FREE = 256 << 20
"""Unpacked bytes up to which any ratio is accepted, since silence compresses well."""
_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError, ValueError,
    RecursionError, OverflowError, struct.error,
)  # fmt: skip
"""Errors of the standard library's readers on damaged or manipulated archives."""


@dataclass(frozen=True)
class Caps:
    """Limits of an archive: number of files and folders, and unpacked bytes of all files together.

    Attributes:
        ratio: unpacked size divided by the archive's size, where more than 256 MiB are unpacked.
    """

    members: int = 20_000
    bytes: int = 64 << 30
    ratio: int = 50


@dataclass
class _ExtractionMeter:
    """Counts members and unpacked bytes, and raises when a limit is exceeded."""

    archive: Path
    folder: Path
    caps: Caps
    names: set[str] = field(default_factory=set)
    members: int = 0
    size: int = 0

    def __post_init__(self) -> None:
        self._allowed = max(_RATIO_FREE, self.archive.stat().st_size * self.caps.ratio)

    def refuse(self, name: str, sentence: str) -> UserError:
        return UserError(
            f"{self.archive} was not unpacked: {shown(name)!r} {sentence}; get the archive again from its publisher."
        )

    def enter(self, name: str) -> str:
        """Count a member, check its name and return it without a leading `./`."""
        self.members += 1
        plain = name.removeprefix("./").removesuffix("/")
        if self.members > self.caps.members:
            raise self.refuse(name, f"comes after {self.caps.members} other members, which is the limit")
        if plain in {"", "."}:
            return ""
        if is_unsafe(plain) or len(plain) > 200:
            raise self.refuse(name, "is not a plain path inside the archive")
        return plain

    def write(self, name: str, stream: IO[bytes]) -> None:
        """Write one file; its bytes are counted while they are read, whatever size the archive states."""
        if name.casefold() in self.names:
            raise self.refuse(name, "is in it twice")
        self.names.add(name.casefold())
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as out:
                while block := stream.read(_BLOCK):
                    self.count(name, len(block))
                    out.write(block)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise self.refuse(name, "is a file and a folder at once") from error

    def count(self, name: str, size: int) -> None:
        self.size += size
        if self.size > self.caps.bytes:
            raise self.refuse(name, f"brings the unpacked files above {self.caps.bytes:,} bytes")
        if self.size > self._allowed:
            raise self.refuse(
                name, f"unpacks to more than {self.caps.ratio} times the archive's size, as a decompression bomb does"
            )


def unpack(archive: Path, folder: Path, caps: Caps | None = None) -> tuple[str, ...]:
    """Unpack a `.tar.gz`, `.tar` or `.zip` (told apart by content) into an empty or new folder.

    Links, devices, sparse and encrypted members, names that leave the folder or are repeated, and archives above the
    limits are refused; modes, owners and times are not restored. After a refusal the folder has the earlier members.

    Args:
        archive: the archive.
        folder: where to unpack; the caller publishes or removes it.
        caps: limits; by default those of `Caps`.

    Returns:
        Names of the files, relative to the folder, in the archive's order.

    Raises:
        UserError: the archive is missing, damaged or refused, or the disk is full.
    """
    if not archive.is_file():
        raise UserError(f"The archive {archive} is missing: download it, or correct the path.")
    meter = _ExtractionMeter(archive, folder, caps or Caps())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(_unpack_any(archive, meter))
    except _BROKEN as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{archive} is damaged or not an archive ({reason}): download it again.") from error
    except OSError as error:
        reason = f"{error.strerror or error}; free some space or correct the path"
        raise UserError(f"Cannot unpack {archive} into {folder}: {reason}.") from error


def _unpack_any(archive: Path, meter: _ExtractionMeter) -> Iterator[str]:
    with archive.open("rb") as stream:
        magic = stream.read(4)
        stream.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(stream) as unzipped:
                yield from _unpack_tar(unzipped, meter)  # type: ignore[arg-type]
        elif magic in {b"PK\x03\x04", b"PK\x05\x06"}:
            yield from _unpack_zip(archive, meter)
        else:
            yield from _unpack_tar(stream, meter)


class _BoundedStream:
    """A stream with a limit per read, since tarfile reads as many bytes as a header states for its own length."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER_LIMIT:
            raise tarfile.ReadError(f"a header asks for {size:,} bytes")
        self.last = self._stream.read(size)
        return self.last

    def seek(self, place: int) -> int:
        if place < self._stream.tell():
            raise tarfile.ReadError("a member begins before the end of the one before it")
        return self._stream.seek(place)

    def tell(self) -> int:
        return self._stream.tell()


def _unpack_tar(stream: IO[bytes], meter: _ExtractionMeter) -> Iterator[str]:
    bounded = _BoundedStream(stream)
    with tarfile.open(fileobj=bounded, mode="r:") as archive:  # type: ignore[call-overload]
        while (info := archive.next()) is not None:
            archive.members.clear()
            name = meter.enter(info.name)
            if info.isdir() or not name:
                continue
            if not info.isfile() or info.issparse():
                raise meter.refuse(info.name, "is a link, a device or a sparse file, and only plain files are accepted")
            data = archive.extractfile(info)
            if data is None:
                raise meter.refuse(info.name, "has no content")
            meter.write(name, data)
            yield name
    # tarfile treats a damaged header as the end of the archive, and does not read on to the checksum of a .gz.
    if bounded.last != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends before its end mark")
    while block := stream.read(_BLOCK):
        meter.count("the rest", len(block))


def _unpack_zip(path: Path, meter: _ExtractionMeter) -> Iterator[str]:
    _check_directory(path)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = meter.enter(info.filename)
            if fault := next(member_faults(info), None):
                raise meter.refuse(info.filename, f"cannot be unpacked. {fault.sentence.rstrip('.')}")
            if info.is_dir() or not name:
                continue
            with archive.open(info) as data:
                meter.write(name, data)
            yield name


def _check_directory(path: Path) -> None:
    """Refuse a list of members that would fill the memory before the first member is checked."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - (1 << 16) - 22))
        tail = stream.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < 22:
        raise zipfile.BadZipFile("the list of its members is missing")
    if struct.unpack_from("<L", tail, place + 12)[0] > _DIRECTORY_LIMIT:
        raise zipfile.BadZipFile("the list of its members is too long")
