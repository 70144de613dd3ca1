"""harness.core.archives.unpack: a hostile or damaged archive is refused in one sentence."""

import gzip
import io
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.archives import unpack as module
from harness.core.archives.unpack import Caps, unpack
from harness.core.errors import UserError
from tests.helpers.handed_out import plain_file, special, tar_bytes

GOOD = (plain_file("SET/FILE_ORDER", b"a\n"), plain_file("SET/a.wav", b"RIFF" * 40))


def _tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    return tar_bytes([*GOOD, *members])


def _zip(*entries: tuple[str, bytes, int]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


FILE, LINK = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777


def _sparse() -> bytes:
    info = tarfile.TarInfo("SET/sparse.wav")
    info.pax_headers = {
        "GNU.sparse.map": "0,1",
        "GNU.sparse.size": "1099511627776",
        "GNU.sparse.name": "SET/sparse.wav",
    }
    return _tar((info, b"x"))


def _header_of(size: int) -> bytes:
    """Return an archive with an extended header of so many zeros, which compress well."""
    info = tarfile.TarInfo("SET/long")
    info.type, info.size = tarfile.XHDTYPE, size
    return gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(size), 9)


def _chain(length: int) -> bytes:
    """Return an archive with a long chain of extended headers, which tarfile reads recursively."""
    info = tarfile.TarInfo("SET/long")
    info.type, info.size = tarfile.XHDTYPE, 512
    return gzip.compress((info.tobuf(tarfile.USTAR_FORMAT) + b"9 a=bcde\n" + bytes(503)) * length, 9)


def _huge_directory() -> bytes:
    data = bytearray(_zip(("a.wav", b"RIFF", FILE)))
    struct.pack_into("<L", data, data.rindex(b"PK\x05\x06") + 12, 0x7FFFFFFF)
    return bytes(data)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not an archive"),
    "no archive": (lambda: b"<html>Not found</html>" * 99, "not an archive"),
    "cut off": (lambda: _tar()[:-30], "damaged"),
    "wrong checksum": (lambda: _tar()[:-8] + b"\0\0\0\0" + _tar()[-4:], "damaged"),
    "absolute path": (lambda: _tar(plain_file("/etc/passwd")), "'/etc/passwd' is not a plain path"),
    "parent path": (lambda: _tar(plain_file("SET/../../a")), "is not a plain path"),
    "backslashes": (lambda: _tar(plain_file("SET\\a.wav")), "is not a plain path"),
    "control characters": (lambda: _tar(plain_file("SET/\x1b[2J.wav")), r"\\x1b\[2J.* is not a plain path"),
    "long name": (lambda: _tar(plain_file("SET/" + "a" * 300)), "is not a plain path"),
    "symbolic link": (lambda: _tar(special("SET/l", tarfile.SYMTYPE, "/etc")), "is a link"),
    "hard link": (lambda: _tar(special("SET/l", tarfile.LNKTYPE, "SET/a.wav")), "is a link"),
    "device": (lambda: _tar(special("SET/null", tarfile.CHRTYPE)), "is a link, a device"),
    "pipe": (lambda: _tar(special("SET/pipe", tarfile.FIFOTYPE)), "is a link, a device"),
    "sparse": (_sparse, "sparse file"),
    "twice": (lambda: _tar(plain_file("SET/a.wav")), "is in it twice"),
    "twice but for case": (lambda: _tar(plain_file("SET/A.WAV")), "is in it twice"),
    "file and folder": (lambda: _tar(plain_file("SET/a.wav/b")), "a file and a folder at once"),
    "header by the gigabyte": (lambda: _header_of(64 << 20), "a header asks for"),
    "headers without end": (lambda: _chain(3000), "damaged"),
    "zip: parent path": (lambda: _zip(("../a.wav", b"a", FILE)), "is not a plain path"),
    "zip: link": (lambda: _zip(("l", b"/etc/passwd", LINK)), "symbolic link"),
    "zip: huge directory": (_huge_directory, "list of its members is too long"),
    "zip: cut off": (lambda: _zip(("a.wav", b"RIFF" * 99, FILE))[:-40], "damaged"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    """Forbids a traceback, acceptance, and files outside the folder or other than plain ones in it."""
    make, sentence = HOSTILE[case]
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(make())
    with pytest.raises(UserError, match=sentence) as caught:
        unpack(archive, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert {path.name for path in tmp_path.iterdir()} <= {"a.tar.gz", "out"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("caps", "sentence"),
    [
        (Caps(members=2), "comes after 2 other members"),
        (Caps(bytes=300), "above 300 bytes"),
        (Caps(ratio=2), "2 times the archive's size, as a decompression bomb does"),
    ],
)
def test_the_caps_hold(caps: Caps, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids more members, bytes or inflation than allowed."""
    monkeypatch.setattr(module, "_RATIO_FREE", 1 << 10)
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(_tar(plain_file("SET/zeros.wav", bytes(1 << 20))))
    with pytest.raises(UserError, match=sentence):
        unpack(archive, tmp_path / "out", caps)


def test_a_bomb_is_stopped_while_it_inflates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that only a wrong size or a full disk stops a bomb: memory and disk stay near the limit."""
    monkeypatch.setattr(module, "_RATIO_FREE", 2 << 20)
    archive = tmp_path / "a.zip"
    archive.write_bytes(_zip(("zeros.wav", bytes(64 << 20), FILE)))
    tracemalloc.start()
    with pytest.raises(UserError, match="as a decompression bomb does"):
        unpack(archive, tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert (tmp_path / "out" / "zeros.wav").stat().st_size <= (2 << 20) + archive.stat().st_size * 50


@pytest.mark.parametrize("prefix", ["", "./"])
def test_an_honest_archive_comes_out_as_it_went_in(prefix: str, tmp_path: Path) -> None:
    """Forbids that content, order or folders change; `tar c .` writes names with `./` before them."""
    members = [special(f"{prefix}SET", tarfile.DIRTYPE), plain_file(f"{prefix}SET/b.wav", b"b" * 3_000_000)]
    members.append(plain_file(f"{prefix}SET/Größe.wav", b""))
    (tmp_path / "a.gz").write_bytes(tar_bytes(members))
    assert unpack(tmp_path / "a.gz", tmp_path / "out") == ("SET/b.wav", "SET/Größe.wav")
    assert (tmp_path / "out" / "SET" / "b.wav").read_bytes() == b"b" * 3_000_000
    assert (tmp_path / "out" / "SET" / "Größe.wav").read_bytes() == b""


def test_archives_are_told_apart_by_content(tmp_path: Path) -> None:
    """Forbids that the suffix decides: the campaign's `.gz` files are tar archives, others may be ZIP or plain tar."""
    (tmp_path / "a.gz").write_bytes(_zip(("SET/a.wav", b"RIFF", FILE)))
    (tmp_path / "b.zip").write_bytes(gzip.decompress(_tar()))
    assert unpack(tmp_path / "a.gz", tmp_path / "a") == ("SET/a.wav",)
    assert unpack(tmp_path / "b.zip", tmp_path / "b") == ("SET/FILE_ORDER", "SET/a.wav")


def test_a_missing_archive_is_said(tmp_path: Path) -> None:
    """Forbids a traceback where the archive is missing."""
    with pytest.raises(UserError, match="is missing: download it"):
        unpack(tmp_path / "none.tar.gz", tmp_path / "out")


GOOD_TAR, GOOD_ZIP = gzip.decompress(_tar()), _zip(("SET/a.wav", b"RIFF" * 40, FILE))


@settings(max_examples=120, deadline=None)
@given(
    which=st.sampled_from([GOOD_TAR, GOOD_ZIP]),
    changes=st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_no_damage_gives_a_traceback(
    which: bytes, changes: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Forbids any exception but UserError on an archive with arbitrary bytes changed."""
    data = bytearray(which)
    for position, value in changes:
        data[position % len(data)] = value
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "a.tar").write_bytes(bytes(data))
    with suppress(UserError):
        unpack(folder / "a.tar", folder / "out")
    assert {path.name for path in folder.iterdir()} <= {"a.tar", "out"}
