"""Malicious archives: they give findings; nothing is extracted and nothing large is read."""

import io
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.findings import exit_code
from harness.submission.check import check_archive, container
from tests.helpers.zips import ACL, EXPECTED, GOOD, NAME, Entry, with_text, without, write_zip

Make = Callable[[Path], Path]


def _raw(data: bytes) -> Make:
    def make(folder: Path) -> Path:
        path = folder / f"{NAME}.zip"
        path.write_bytes(data)
        return path

    return make


def _entries(*entries: Entry) -> Make:
    return lambda folder: write_zip(folder, (*GOOD, *entries))


def _patched(mark: bytes, offset: int, value: bytes) -> Make:
    """Overwrite bytes of the 3-line file's header: `PK 1 2` begins that in the directory, `PK 3 4` the local one."""

    def make(folder: Path) -> Path:
        path = write_zip(folder, with_text(b"Eins.\nZwei.\nDrei.\n"))
        data = bytearray(path.read_bytes())
        at = data.rindex(mark) + offset
        data[at : at + len(value)] = value
        path.write_bytes(bytes(data))
        return path

    return make


def _duplicate(folder: Path) -> Path:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return write_zip(folder, (*GOOD, Entry(ACL, b"Vier.\n")))


def _many(folder: Path) -> Path:
    members = tuple(Entry(f"MODELCOMPRESSION/ACL6060/{number}.txt") for number in range(container.COUNT_LIMIT))
    return write_zip(folder, (*GOOD, *members))


def _prefix_lies(folder: Path) -> Path:
    """Set the offset of the central directory beyond the end of the file."""
    path = write_zip(folder, GOOD)
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, len(data) - 6, 0x7FFFFFFF)
    path.write_bytes(bytes(data))
    return path


BOMB = Entry("MODELCOMPRESSION/ACL6060/bomb.txt", b"0" * (container.MEMBER_LIMIT + 1))
DENSE = Entry("MODELCOMPRESSION/ACL6060/dense.txt", b"0" * (1 << 20))
HOSTILE: dict[str, tuple[Make, str]] = {
    "not a zip": (_raw(b"MODELCOMPRESSION"), "not-a-zip"),
    "empty file": (_raw(b""), "not-a-zip"),
    "cut off": (lambda folder: _raw(write_zip(folder, GOOD).read_bytes()[:-40])(folder), "not-a-zip"),
    "directory beyond the end": (_prefix_lies, "damaged"),
    "absolute path": (_entries(Entry("/etc/passwd", b"a\n")), "unsafe-path"),
    "parent path": (_entries(Entry("MODELCOMPRESSION/../en_de.txt", b"a\n")), "unsafe-path"),
    "backslashes": (_entries(Entry("MODELCOMPRESSION\\ACL6060\\en_de.txt", b"a\n")), "unsafe-path"),
    "drive letter": (_entries(Entry("C:/ACL6060/en_de.txt", b"a\n")), "unsafe-path"),
    "escape sequence": (_entries(Entry("MODELCOMPRESSION/ACL6060/\x1b[2J.txt", b"a\n")), "unsafe-path"),
    "symbolic link": (
        lambda folder: write_zip(folder, (*without(ACL), Entry(ACL, b"/etc/passwd", stat.S_IFLNK | 0o777))),
        "link",
    ),
    "device": (_entries(Entry("MODELCOMPRESSION/ACL6060/null", b"", stat.S_IFCHR | 0o666)), "link"),
    "bomb by size": (_entries(BOMB), "bomb"),
    "bomb by ratio": (_entries(DENSE), "bomb"),
    "too many members": (_many, "member-count"),
    "duplicate": (_duplicate, "duplicate"),
    "encrypted": (_patched(b"PK\x01\x02", 8, b"\x01"), "encrypted"),
    "slow compression": (_entries(Entry("MODELCOMPRESSION/ACL6060/x", b"a", compression=14)), "compression"),
    "wrong checksum": (_patched(b"PK\x01\x02", 16, b"\0\0\0\0"), "damaged"),
    "size that lies": (_patched(b"PK\x01\x02", 24, struct.pack("<L", 1000)), "damaged"),
    "two names for one member": (_patched(b"PK\x03\x04", 30, b"X"), "damaged"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_ends_in_findings(case: str, tmp_path: Path) -> None:
    """Forbids a traceback, acceptance, and any new file in the folder."""
    make, rule = HOSTILE[case]
    path = make(tmp_path)
    before = set(tmp_path.rglob("*"))
    findings = check_archive(path, EXPECTED)
    assert rule in {finding.rule for finding in findings}
    assert exit_code(findings) == 1
    assert set(tmp_path.rglob("*")) == before
    assert all(str(finding).isprintable() for finding in findings)


def test_a_bomb_is_not_inflated(tmp_path: Path) -> None:
    """Forbids reading a member that unpacks to gigabytes, whatever the other members are."""
    path = write_zip(tmp_path, (*GOOD, BOMB))
    tracemalloc.start()
    check_archive(path, EXPECTED)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < container.MEMBER_LIMIT // 8


def test_a_huge_archive_is_not_read(tmp_path: Path) -> None:
    """Forbids loading an archive over the limit: a sparse file of a terabyte is refused at once."""
    path = tmp_path / f"{NAME}.zip"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    assert {"archive-size"} <= {finding.rule for finding in check_archive(path, EXPECTED)}


def _bytes_of_good() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for entry in GOOD:
            archive.writestr(zipfile.ZipInfo(entry.name), entry.data)
    return out.getvalue()


GOOD_BYTES = _bytes_of_good()


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(GOOD_BYTES) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.none() | st.integers(0, len(GOOD_BYTES)),
)
def test_no_damage_makes_check_fail_itself(
    changes: list[tuple[int, int]], cut: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Forbids any exception on an archive with arbitrary bytes changed or cut off."""
    data = bytearray(GOOD_BYTES)
    for position, value in changes:
        data[position] = value
    path = tmp_path_factory.getbasetemp() / f"{NAME}.zip"
    path.write_bytes(bytes(data[:cut]))
    assert all(finding.sentence for finding in check_archive(path, EXPECTED))
