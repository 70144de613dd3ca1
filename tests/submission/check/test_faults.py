"""Faults of archives: each has a finding, and valid archives have none."""

from pathlib import Path

import msgspec
import pytest

from harness.config.task import load_task
from harness.core.errors import UserError
from harness.core.findings import Finding, Severity, exit_code
from harness.submission.check import Expectation, ExpectedSet, check_archive, expectation
from tests.helpers.translations import make_test_set
from tests.helpers.zips import ACL, EXPECTED, FOLDERS, GOOD, NAME, NAMES, TV, Entry, with_text, without, write_zip


def _rules(findings: tuple[Finding, ...], severity: Severity = Severity.ERROR) -> set[tuple[str, str]]:
    return {(finding.rule, finding.path) for finding in findings if finding.severity is severity}


def test_a_good_archive_has_no_faults(tmp_path: Path) -> None:
    """Forbids findings on a valid archive, and another exit code than 0."""
    findings = check_archive(write_zip(tmp_path, GOOD), EXPECTED)
    assert findings == ()
    assert exit_code(findings) == 0


@pytest.mark.parametrize(
    ("entries", "rule", "path"),
    [
        ((), "empty", "archive"),
        (without(FOLDERS[0]), "directory-entry", FOLDERS[0]),
        (without(FOLDERS[1]), "directory-entry", FOLDERS[1]),
        (without(TV), "missing-set", TV),
        ((*GOOD, Entry("MODELCOMPRESSION/DAYTIME/"), Entry("MODELCOMPRESSION/DAYTIME/en_de.txt", b"a\n")),
         "unknown-set", "MODELCOMPRESSION/DAYTIME/en_de.txt"),
        ((*GOOD, Entry("MODELCOMPRESSION/acl6060/")), "unknown-set", "MODELCOMPRESSION/acl6060/"),
        ((*GOOD, Entry("COMPRESSION/"), Entry("COMPRESSION/ACL6060/"), Entry("COMPRESSION/ACL6060/en_de.txt", b"a\n")),
         "task-name", "COMPRESSION/ACL6060/en_de.txt"),
        ((*GOOD, Entry("README.txt", b"a\n")), "path-depth", "README.txt"),
        ((*GOOD, Entry("MODELCOMPRESSION/ACL6060/x/en_de.txt", b"a\n")), "path-depth",
         "MODELCOMPRESSION/ACL6060/x/en_de.txt"),
        ((*GOOD, Entry("MODELCOMPRESSION/ACL6060/x/")), "path-depth", "MODELCOMPRESSION/ACL6060/x/"),
        ((*GOOD, Entry("MODELCOMPRESSION/ACL6060/en_zh.txt", b"a\n")), "pair", "MODELCOMPRESSION/ACL6060/en_zh.txt"),
        ((*without(ACL), Entry("MODELCOMPRESSION/ACL6060/en-de.txt", b"a\nb\nc\n")), "file-name",
         "MODELCOMPRESSION/ACL6060/en-de.txt"),
        (with_text("Größe\n".encode("latin-1") * 3), "encoding", ACL),
        (with_text(b"\xef\xbb\xbfEins.\nZwei.\nDrei.\n"), "byte-order-mark", ACL),
        (with_text(b"Eins.\r\nZwei.\r\nDrei.\r\n"), "carriage-return", ACL),
        (with_text(b"Eins.\nZwei.\n"), "line-count", ACL),
        (with_text(b"Eins.\nZwei.\nDrei.\nVier.\n"), "line-count", ACL),
        (with_text(b""), "line-count", ACL),
        (with_text(b"\n \n\t\n"), "no-text", ACL),
    ],
)  # fmt: skip
def test_each_fault_is_an_error(tmp_path: Path, entries: tuple[Entry, ...], rule: str, path: str) -> None:
    """Forbids accepting an archive with this fault, or naming another member."""
    findings = check_archive(write_zip(tmp_path, entries), EXPECTED)
    assert (rule, path) in _rules(findings)
    assert exit_code(findings) == 1


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"Eins.\n\nDrei.\n", "empty-line"),
        ("Eins.\n\u3000\nDrei.\n".encode(), "empty-line"),
        (b"Eins.\nZwei.\nDrei.", "final-newline"),
        ("Eins.\nZwei\u2028zwei.\nDrei.\n".encode(), "line-separator"),
    ],
)
def test_what_may_be_intended_is_a_warning(tmp_path: Path, data: bytes, rule: str) -> None:
    """Forbids refusing what a model may have generated, and not reporting it."""
    findings = check_archive(write_zip(tmp_path, with_text(data)), EXPECTED)
    assert _rules(findings, Severity.WARNING) == {(rule, ACL)}
    assert exit_code(findings) == 0


@pytest.mark.parametrize(
    "name",
    [
        "submission.zip",
        f"{NAME}.tar",
        "TOY_IWSLT26_ModelCompression_en_de_constrained_primary.zip",
        "TOY_IWSLT26_ModelCompression_en-fr_constrained_primary.zip",
    ],
)
def test_a_wrong_name_is_reported_and_the_rest_is_checked(tmp_path: Path, name: str) -> None:
    """Forbids accepting an archive with a wrong name, and not checking its contents."""
    findings = check_archive(write_zip(tmp_path, without(TV), name), EXPECTED)
    assert _rules(findings) == {("model-name", name), ("missing-set", TV)}


def test_a_missing_description_is_reported(tmp_path: Path) -> None:
    """Forbids accepting an archive without the mandatory description in its folder."""
    path = write_zip(tmp_path, GOOD)
    path.with_name(f"{NAME}.description.md").unlink()
    assert ("missing-description", path.name) in _rules(check_archive(path, EXPECTED), Severity.WARNING)


def test_the_direction_in_the_name_decides(tmp_path: Path) -> None:
    """Forbids accepting German files in an archive with the name of a Chinese model."""
    path = write_zip(tmp_path, GOOD, f"{NAME.replace('en-de', 'en-zh')}.zip")
    rules = _rules(check_archive(path, EXPECTED))
    assert {("pair", ACL), ("unknown-set", TV), ("missing-set", "MODELCOMPRESSION/ACL6060/en_zh.txt")} <= rules


def test_a_finding_counts_and_names_lines(tmp_path: Path) -> None:
    """Forbids findings without counts and line numbers."""
    path = write_zip(tmp_path, with_text(b"Eins.\n\nDrei.\n\nVier.\n"))
    sentences = {finding.rule: finding.sentence for finding in check_archive(path, EXPECTED)}
    assert sentences["line-count"].startswith("It has 5 lines for 3 segments")
    assert sentences["empty-line"].startswith("2 of 5 translations are empty (in lines 2, 4)")


def test_a_missing_file_is_the_users_mistake(tmp_path: Path) -> None:
    """Forbids a finding, or a traceback, for a missing archive."""
    with pytest.raises(UserError, match="Cannot read"):
        check_archive(tmp_path / f"{NAME}.zip", EXPECTED)


def test_expectation_comes_from_task_and_test_sets() -> None:
    """Forbids a line count for a missing set, an archive without a blind set, and test sets next to blind sets."""
    test_set = make_test_set({}, lines=7, name="ACL6060", campaign_name="ACL6060")
    found = expectation(load_task("iwslt2026-4gb"), [test_set])
    assert found.sets["en-de"][0] == ExpectedSet("ACL6060", 7)
    assert [entry.name for entry in found.sets["en-zh"]] == [
        "ACL6060", "BUSINESSNEWS", "CALLCENTER", "TVSERIES", "YOUTUBE",
    ]  # fmt: skip
    assert {entry.lines for entry in found.sets["en-zh"][1:]} == {None}
    demo = make_test_set({}, lines=2, name="demo-eval", campaign_name="DEMOEVAL")
    only = (ExpectedSet("DEMOEVAL", 2),)
    task = msgspec.structs.replace(load_task("demo"), blind_sets={})
    assert expectation(task, [demo]) == Expectation(NAMES, {"en-de": only, "en-zh": only})
