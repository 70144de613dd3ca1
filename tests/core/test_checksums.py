"""harness.core.checksums: cached checksums are correct and not computed again."""

import hashlib
import os
from pathlib import Path

import pytest

from harness.core import checksums as sums
from harness.core.checksums import FileDigest, directory_digests
from harness.core.errors import UserError


def _no_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> FileDigest:
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr(sums, "digest_file", refuse)


def test_sum_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    """Forbids a checksum other than hashlib's of the whole file."""
    (tmp_path / "a").write_bytes(b"abc")
    found = directory_digests(tmp_path, ["a"], tmp_path / "cache")
    assert found == {"a": FileDigest(hashlib.sha256(b"abc").hexdigest(), 3)}


def test_unchanged_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids hashing gigabytes at every start, also after the folder was renamed, as on publishing."""
    old = tmp_path / "x.partial"
    old.mkdir()
    (old / "a").write_bytes(b"abc")
    first = directory_digests(old, ["a"], tmp_path / "cache")
    old.replace(tmp_path / "x")
    _no_hashing(monkeypatch)
    assert directory_digests(tmp_path / "x", ["a"], tmp_path / "cache") == first


def test_an_edit_of_equal_size_and_time_is_found(tmp_path: Path) -> None:
    """Forbids trusting size and modification time alone, which `touch -d` can restore."""
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    state = file.stat()
    first = directory_digests(tmp_path, ["a"], tmp_path / "cache")
    file.write_bytes(b"abd")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert directory_digests(tmp_path, ["a"], tmp_path / "cache") != first


def test_a_damaged_cache_is_ignored(tmp_path: Path) -> None:
    """Forbids that a damaged cache makes a command fail or changes its result."""
    (tmp_path / "a").write_bytes(b"abc")
    first = directory_digests(tmp_path, ["a"], tmp_path / "cache")
    for memory in (tmp_path / "cache").rglob("*.json"):
        memory.write_text("{")
    assert directory_digests(tmp_path, ["a"], tmp_path / "cache") == first


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Forbids a traceback where a file is missing."""
    with pytest.raises(UserError, match="nowhere"):
        directory_digests(tmp_path, ["nowhere"], tmp_path / "cache")
