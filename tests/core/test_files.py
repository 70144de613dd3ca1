"""harness.core.files: published whole or not at all, and named by content."""

import hashlib
from pathlib import Path

import pytest

from harness.core.errors import NewerFormatError, UserError, check_format
from harness.core.files import canonical_json, key_of, publish_directory, published, read_json, sha256_of, write_json


def test_canonical_json_is_independent_of_insertion_order() -> None:
    """Forbids that equal values have different keys."""
    assert canonical_json({"b": 1, "a": "ü"}) == canonical_json({"a": "ü", "b": 1}) == '{"a":"ü","b":1}'.encode()


def test_key_is_the_sha256_of_the_canonical_text() -> None:
    """Forbids a key that cannot be recomputed without this code."""
    assert key_of({"a": [1, 2]}) == hashlib.sha256(b'{"a":[1,2]}').hexdigest()


def test_not_a_number_has_no_canonical_form() -> None:
    """Forbids NaN in stored results, which JSON does not have."""
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"score": float("nan")})


def test_sha256_of_reads_in_blocks(tmp_path: Path) -> None:
    """Forbids a checksum that depends on the blocks; the second source is hashlib over all bytes."""
    data = bytes(range(256)) * 9000
    (tmp_path / "f").write_bytes(data)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(data).hexdigest()


def test_failure_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    """Forbids a partial file, or a temporary file that remains, after an exception."""
    target = tmp_path / "result.json"
    target.write_text("old")

    def interrupted() -> None:
        with published(target) as temporary:
            temporary.write_text("ne")
            raise KeyboardInterrupt("by a test")

    with pytest.raises(KeyboardInterrupt, match="by a test"):
        interrupted()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_publishing_into_a_file_instead_of_a_folder_is_one_sentence(tmp_path: Path) -> None:
    """Forbids a traceback for a path that cannot be a folder."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot write"):
        write_json(tmp_path / "file" / "x.json", {})


def test_publish_directory_replaces_an_older_one(tmp_path: Path) -> None:
    """Forbids a mixture of old and new files after a second build."""
    for name, content in (("new.partial", "new"), ("final", "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / content).touch()
    publish_directory(tmp_path / "new.partial", tmp_path / "final")
    assert [p.name for p in (tmp_path / "final").iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["final"]


def test_json_faults_are_sentences(tmp_path: Path) -> None:
    """Forbids tracebacks for a missing and for a broken file."""
    with pytest.raises(UserError, match="Cannot read"):
        read_json(tmp_path / "missing.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        read_json(tmp_path / "broken.json")


@pytest.mark.parametrize("found", [0, -1, True, None, "1", 1.5])
def test_a_version_that_is_not_a_positive_integer_is_refused(found: object) -> None:
    """Forbids reading a file whose format is unknown."""
    with pytest.raises(UserError, match="no valid format_version"):
        check_format("x.json", found, 3)


def test_newer_format_is_refused_and_older_is_not() -> None:
    """Forbids that a file of a newer format is read."""
    check_format("x.json", 3, 3)
    check_format("x.json", 1, 3)
    with pytest.raises(NewerFormatError, match=r"format version 4.*only up to 3"):
        check_format("x.json", 4, 3)
