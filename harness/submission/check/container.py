"""Reads untrusted ZIP files: nothing is extracted to disk, and sizes are checked before anything is read."""

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.archives.archive_members import member_faults, raw_name, shown
from harness.core.errors import UserError
from harness.core.findings import Finding

ARCHIVE_LIMIT = 64 << 20
"""Largest archive that is opened, in bytes; those of the campaign have a few MB."""
MEMBER_LIMIT = 16 << 20
"""Largest member that is read, in bytes."""
TOTAL_LIMIT = 128 << 20
"""Largest total size of all members, in bytes."""
COUNT_LIMIT = 1000
"""Largest number of members, directories included."""
RATIO_LIMIT = 100
"""Largest compression ratio; text deflates to about a third, a ZIP bomb to a thousandth."""
_RATIO_FREE = 1 << 16
"""Members up to this size in bytes may have any compression ratio."""
_ENTRY_SIGNATURE = b"PK\x01\x02"  # of an entry in the central directory
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
"""Exceptions of zipfile on damaged or malicious archives, found by changing bytes at random."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Attributes:
        name: as stored; names of directories end with a slash.
        data: content of a file, or None where it was not safe to read.
    """

    name: str
    data: bytes | None

    @property
    def is_directory(self) -> bool:
        """Whether this is an explicit directory entry."""
        return self.name.endswith("/")

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the path."""
        return tuple(self.name.strip("/").split("/"))


@dataclass(frozen=True)
class Contents:
    """The members of an archive, and the faults of the archive as a container."""

    members: tuple[Member, ...]
    findings: tuple[Finding, ...]


def read_archive(path: Path) -> Contents:
    """Read every member that is safe to read.

    Raises:
        UserError: the file is missing or cannot be read.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= ARCHIVE_LIMIT else b""
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error
    if (refused := _check_limits(path.name, size, data)) is not None:
        return Contents((), (refused,))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read_members(archive)
    except _DAMAGED as error:
        return Contents((), (Finding(path.name, "not-a-zip", f"This is not a readable ZIP archive ({error})."),))


def _check_limits(name: str, size: int, data: bytes) -> Finding | None:
    if size > ARCHIVE_LIMIT:
        return Finding(name, "archive-size", f"The archive has {size:,} bytes; more than {ARCHIVE_LIMIT:,} is refused.")
    # Before zipfile parses the directory, whose memory grows with the number of entries.
    if data.count(_ENTRY_SIGNATURE) > COUNT_LIMIT:
        return Finding(name, "member-count", f"The archive has more than {COUNT_LIMIT} members and is refused.")
    return None


def _read_members(archive: zipfile.ZipFile) -> Contents:
    infos = archive.infolist()
    findings = [*_duplicates(infos), *_oversized(infos)]
    if any(finding.rule == "bomb" for finding in findings):
        return Contents(tuple(Member(raw_name(info), None) for info in infos), tuple(findings))
    members = []
    for info in infos:
        faults = tuple(member_faults(info))
        data, damage = (None, None) if faults or info.filename.endswith("/") else _read(archive, info)
        members.append(Member(raw_name(info), data))
        findings += [*faults, *([damage] if damage else [])]
    return Contents(tuple(members), tuple(findings))


def _duplicates(infos: Sequence[zipfile.ZipInfo]) -> Iterator[Finding]:
    counts = Counter(raw_name(info).rstrip("/").casefold() for info in infos)
    for name in sorted({raw_name(info) for info in infos}):
        if counts[name.rstrip("/").casefold()] > 1:
            yield Finding(shown(name), "duplicate", "The archive contains this name more than once: keep one.")


def _oversized(infos: Sequence[zipfile.ZipInfo]) -> Iterator[Finding]:
    total = sum(info.file_size for info in infos)
    if total > TOTAL_LIMIT:
        sentence = f"The members unpack to {total:,} bytes; more than {TOTAL_LIMIT:,} is refused."
        yield Finding("archive", "bomb", sentence)
    for info in infos:
        packed, size = info.compress_size, info.file_size
        if size > MEMBER_LIMIT or size > max(_RATIO_FREE, RATIO_LIMIT * max(1, packed)):
            sentence = f"It unpacks from {packed:,} to {size:,} bytes, as ZIP bombs do; it was not read."
            yield Finding(shown(raw_name(info)), "bomb", sentence)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[bytes | None, Finding | None]:
    """Read a member; zipfile reads at most the size that the directory states, and verifies the checksum."""
    try:
        data = archive.read(info)
        if len(data) == info.file_size:
            return data, None
        fault = f"It has {len(data)} bytes, but the archive states {info.file_size}"
    except _DAMAGED as error:
        fault = f"It cannot be read ({error})"
    return None, Finding(shown(raw_name(info)), "damaged", f"{fault}: create the archive again.")
