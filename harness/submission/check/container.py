"""Reading a foreign ZIP without trusting it: nothing is unpacked, and nothing large is read before it is weighed."""

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
"""Largest archive that is opened, in bytes; the campaign's hold a few MB of text."""
MEMBER_LIMIT = 16 << 20
"""Largest member that is read, in bytes."""
TOTAL_LIMIT = 128 << 20
"""Largest sum of all members, in bytes."""
COUNT_LIMIT = 1000
"""Most members, directories included."""
RATIO_LIMIT = 100
"""Largest unpacked by packed size; translations deflate to a third, a bomb to a thousandth."""
_RATIO_FREE = 1 << 16
"""Members up to this size in bytes may have any ratio."""
_ENTRY_MARK = b"PK\x01\x02"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
"""What zipfile raises on archives that are damaged or made to mislead it (found by changing bytes at random)."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Attributes:
        name: as stored, directories with a final slash.
        data: content of a file that was safe to read, else None.
    """

    name: str
    data: bytes | None

    @property
    def is_directory(self) -> bool:
        """Whether this is an explicit directory entry."""
        return self.name.endswith("/")

    @property
    def parts(self) -> tuple[str, ...]:
        """The path's parts."""
        return tuple(self.name.strip("/").split("/"))


@dataclass(frozen=True)
class Contents:
    """What was read from an archive, and what is wrong with the archive as a container."""

    members: tuple[Member, ...]
    findings: tuple[Finding, ...]


def read_archive(path: Path) -> Contents:
    """Read every member that is safe to read.

    Raises:
        UserError: the file itself is missing or cannot be read.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= ARCHIVE_LIMIT else b""
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error
    refusal = _refusal(path.name, size, data)
    if refusal is not None:
        return Contents((), (refusal,))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read_members(archive)
    except _BROKEN as error:
        return Contents((), (Finding(path.name, "not-a-zip", f"This is not a readable ZIP archive ({error})."),))


def _refusal(name: str, size: int, data: bytes) -> Finding | None:
    if size > ARCHIVE_LIMIT:
        return Finding(name, "archive-size", f"The archive has {size:,} bytes; more than {ARCHIVE_LIMIT:,} is refused.")
    if data.count(_ENTRY_MARK) > COUNT_LIMIT:
        return Finding(name, "member-count", f"The archive has more than {COUNT_LIMIT} members and is refused.")
    return None


def _read_members(archive: zipfile.ZipFile) -> Contents:
    infos = archive.infolist()
    findings = [*_duplicates(infos), *_too_much(infos)]
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
            yield Finding(shown(name), "duplicate", "The archive holds this name more than once: keep one.")


def _too_much(infos: Sequence[zipfile.ZipInfo]) -> Iterator[Finding]:
    total = sum(info.file_size for info in infos)
    if total > TOTAL_LIMIT:
        yield Finding(
            "archive", "bomb", f"The members unpack to {total:,} bytes; more than {TOTAL_LIMIT:,} is refused."
        )
    for info in infos:
        large = info.file_size > MEMBER_LIMIT
        dense = info.file_size > _RATIO_FREE and info.file_size > RATIO_LIMIT * max(1, info.compress_size)
        if large or dense:
            sentence = (
                f"It unpacks from {info.compress_size:,} to {info.file_size:,} bytes, like a bomb; nothing was read."
            )
            yield Finding(shown(raw_name(info)), "bomb", sentence)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[bytes | None, Finding | None]:
    """Read a member; zipfile stops at the size that was weighed, and compares the checksum."""
    try:
        data = archive.read(info)
    except _BROKEN as error:
        return None, Finding(shown(raw_name(info)), "damaged", f"It cannot be read ({error}): pack it again.")
    if len(data) != info.file_size:
        sentence = f"It holds {len(data)} bytes where the archive says {info.file_size}: pack it again."
        return None, Finding(shown(raw_name(info)), "damaged", sentence)
    return data, None
