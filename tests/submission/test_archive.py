"""Submission archives: accepted by the campaign, reproducible to the byte, each with a description."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from harness.config.task import load_task
from harness.core.errors import UserError
from harness.core.findings import exit_code
from harness.core.locks import exclusive
from harness.core.text import one_line
from harness.core.workdir import WorkDir
from harness.inference.hypothesis import HypothesisSet
from harness.submission.archive import ArchiveRequest, archive_bytes, write_archive
from harness.submission.check import check_archive, expectation
from harness.submission.condition import Condition
from harness.submission.description import ArchiveFile
from harness.submission.manifest import Entries, EntryKind, ModelEntry, Submission
from harness.testsets.segments_yaml import read_yaml
from tests.helpers.provenance import make_artifact, make_manifest
from tests.helpers.translations import make_hypotheses, make_test_set

TASK = msgspec.structs.replace(load_task("demo"), blind_sets={})
TEST_SET = make_test_set({}, lines=3, name="demo-eval", campaign_name="DEMOEVAL")
TEXTS = ("Erste Zeile.", "Zweite\r\nZeile\u2028hier.\n", "Größe zählt.")
UNCONSTRAINED = "TOY_IWSLT26_ModelCompression_en-de_unconstrained_primary"


def _made(artifact: str, texts: tuple[str, ...] = TEXTS) -> HypothesisSet:
    return make_hypotheses(texts, test_set="demo-eval", artifact=artifact)


def _request(folder: Path, datasets: tuple[str, ...] = ("demo-general", "demo-train")) -> ArchiveRequest:
    artifact = make_artifact(folder / "artifact", make_manifest("finetuned", datasets))
    submission = Submission(team="TOY", task="demo", entries={"en-de": Entries(primary="hqq4")}, contact="us@toy.org")
    entry = ModelEntry("en-de", EntryKind.PRIMARY, "hqq4")
    return ArchiveRequest(submission, entry, TASK, artifact, (_made(artifact.id),), (TEST_SET,))


def _server_files(data: bytes) -> dict[tuple[str, str], list[str]]:
    """Read an archive as the campaign's server does.

    It takes the task's folders only from explicit directory entries and reads `TASK/SET/src_tgt.txt` below them; an
    archive without such entries is empty to it.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        tasks = {name.split("/")[0] for name in names if name.endswith("/")}
        files = [name.split("/") for name in names if not name.endswith("/")]
        return {
            (parts[1], parts[2]): archive.read("/".join(parts)).decode().splitlines()
            for parts in files
            if len(parts) == 3 and parts[0] in tasks
        }


def test_the_servers_reader_finds_every_translation(tmp_path: Path) -> None:
    """Forbids an archive that is empty to the server, or in which it finds other lines."""
    archive = write_archive(_request(tmp_path), WorkDir(tmp_path))
    found = _server_files(archive.path.read_bytes())
    assert found == {("DEMOEVAL", "en_de.txt"): ["Erste Zeile.", "Zweite Zeile hier.", "Größe zählt."]}


def test_the_server_needs_directory_entries() -> None:
    """Forbids that the reader above accepts an archive without explicit directory entries."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("MODELCOMPRESSION/DEMOEVAL/en_de.txt", "Zeile.\n")
    assert _server_files(out.getvalue()) == {}


def test_archives_pass_the_check(tmp_path: Path) -> None:
    """Forbids that an archive of ours has findings, even warnings."""
    archive = write_archive(_request(tmp_path), WorkDir(tmp_path))
    findings = check_archive(archive.path, expectation(TASK, [TEST_SET]))
    assert findings == ()
    assert exit_code(findings) == 0


def test_written_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """Forbids times, permissions or an order of members that differ between two archives, and temporary files."""
    request = _request(tmp_path)
    first = write_archive(request, WorkDir(tmp_path / "one"))
    again = write_archive(request, WorkDir(tmp_path / "one"))
    other = write_archive(request, WorkDir(tmp_path / "two"))
    assert first.sha256 == again.sha256 == other.sha256
    assert first.path.read_bytes() == other.path.read_bytes()
    assert first.description.read_bytes() == other.description.read_bytes()
    assert sorted(path.name for path in (tmp_path / "one" / "submissions").rglob("*")) == sorted(
        [UNCONSTRAINED, f"{UNCONSTRAINED}.zip", f"{UNCONSTRAINED}.description.md"]
    )


def test_members_are_plain_and_sorted_without_times() -> None:
    """Forbids metadata that depends on the machine: the members' fields are those listed here."""
    files = [ArchiveFile(f"T/{name}/en_de.txt", name, ("a",), "") for name in ("B", "A")]
    with zipfile.ZipFile(io.BytesIO(archive_bytes(files))) as archive:
        fields = [(i.filename, oct(i.external_attr >> 16), i.date_time, i.compress_type) for i in archive.infolist()]
        assert {i.create_system for i in archive.infolist()} == {3}
    epoch = (1980, 1, 1, 0, 0, 0)
    assert fields == [
        ("T/", "0o40755", epoch, zipfile.ZIP_STORED),
        ("T/A/", "0o40755", epoch, zipfile.ZIP_STORED),
        ("T/B/", "0o40755", epoch, zipfile.ZIP_STORED),
        ("T/A/en_de.txt", "0o100644", epoch, zipfile.ZIP_STORED),
        ("T/B/en_de.txt", "0o100644", epoch, zipfile.ZIP_STORED),
    ]


@pytest.mark.parametrize("mark", ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_translation_is_one_line(mark: str) -> None:
    """Forbids a line break of any kind inside a line, and joining the words around it."""
    assert one_line(f"\ufeffeins{mark}zwei{mark}") == "eins zwei"


def test_an_empty_translation_stays_an_empty_line(tmp_path: Path) -> None:
    """Forbids removing or filling the line of a segment for which the model generated no text."""
    request = _request(tmp_path)
    archive = write_archive(
        replace(request, hypotheses=(_made(request.artifact.id, ("a", "", "c")),)), WorkDir(tmp_path)
    )
    assert _server_files(archive.path.read_bytes()) == {("DEMOEVAL", "en_de.txt"): ["a", "", "c"]}


def test_the_condition_in_the_name_is_derived(tmp_path: Path) -> None:
    """Forbids the name of a constrained model for a system tuned on other data, and the other way round."""
    assert write_archive(_request(tmp_path / "a"), WorkDir(tmp_path)).name == UNCONSTRAINED
    allowed = _request(tmp_path / "b", ("demo-general", "demo-dev"))
    assert write_archive(allowed, WorkDir(tmp_path)).name == UNCONSTRAINED.replace("unconstrained", "constrained")


def test_a_claim_of_constrained_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """Forbids a constrained archive of a system that demo-train supported, and files of a refused one."""
    request = _request(tmp_path)
    claim = msgspec.structs.replace(request.submission, condition=Condition.CONSTRAINED)
    with pytest.raises(UserError, match="demo-train supported its compression"):
        write_archive(replace(request, submission=claim), WorkDir(tmp_path))
    assert not WorkDir(tmp_path).submissions.exists()


def test_incomplete_or_foreign_translations_are_refused(tmp_path: Path) -> None:
    """Forbids archives with missing lines, lines of another artifact, direction or order, and without a set."""
    request = _request(tmp_path)
    made = request.hypotheses[0]
    wrong = {
        "are 2 lines for 3 segments": (_made(request.artifact.id, TEXTS[:2]),),
        "of another artifact than": (msgspec.structs.replace(made, artifact="f" * 64),),
        "are en-zh, not en-de": (msgspec.structs.replace(made, direction="en-zh"),),
        "not in the order": (msgspec.structs.replace(made, hypotheses=made.hypotheses[::-1]),),
        "no translations of demo-eval": (),
    }
    for sentence, sets in wrong.items():
        with pytest.raises(UserError, match=sentence):
            write_archive(replace(request, hypotheses=sets), WorkDir(tmp_path))


def test_two_sets_for_one_file_are_refused(tmp_path: Path) -> None:
    """Forbids that the translations of one set silently replace those of another."""
    request = _request(tmp_path)
    twin = make_test_set({}, lines=3, name="demo-dev", campaign_name="DEMOEVAL")
    task = msgspec.structs.replace(TASK, test_sets={"en-de": ("demo-eval", "demo-dev")})
    made = (*request.hypotheses, msgspec.structs.replace(request.hypotheses[0], test_set="demo-dev"))
    with pytest.raises(UserError, match="demo-eval and demo-dev have the same path MODELCOMPRESSION/DEMOEVAL"):
        write_archive(replace(request, task=task, hypotheses=made, test_sets=(TEST_SET, twin)), WorkDir(tmp_path))


def test_the_description_holds_the_mandatory_fields(tmp_path: Path) -> None:
    """Forbids a description without exact size, parameters, techniques or, if unconstrained, the data sets."""
    request = _request(tmp_path)
    text = write_archive(request, WorkDir(tmp_path)).description.read_text(encoding="utf-8")
    size = sum(path.stat().st_size for path in request.artifact.path.iterdir())
    signature = request.hypotheses[0].signature
    for line in (
        f"# {UNCONSTRAINED}",
        "- Team: TOY, us@toy.org",
        "- Condition: unconstrained, primary entry",
        f"- All files: {size:,} bytes = {size / 1e9:.6f} GB = {size / 2**30:.6f} GiB",
        "- 8,256",
        "- `hqq(bits=4, group_size=64)`: tensors: 1, weights: 8,192",
        "- Data sets that supported the compression: demo-train",
        "- Not counted, pre-training of the campaign's base model: demo-general",
        f"- `MODELCOMPRESSION/DEMOEVAL/en_de.txt`: demo-eval, 3 segments, made with `{signature}`",
    ):
        assert line in text.splitlines()


def test_the_segmentation_of_an_unsegmented_set_is_written(tmp_path: Path) -> None:
    """Forbids lines that cannot be aligned: the segmentation is written too, except for gold segments."""
    request = _request(tmp_path)
    assert not list(write_archive(request, WorkDir(tmp_path)).path.parent.glob("*.segments"))
    archive = write_archive(replace(request, test_sets=(replace(TEST_SET, gold=None),)), WorkDir(tmp_path))
    written = read_yaml(archive.path.parent / f"{archive.name}.segments" / "DEMOEVAL.yaml")
    assert tuple(written) == tuple(hypothesis.segment for hypothesis in request.hypotheses[0].hypotheses)


def test_only_one_process_writes_an_archive(tmp_path: Path) -> None:
    """Forbids that two processes write the same archive."""
    workdir = WorkDir(tmp_path / "work")
    with (
        exclusive(workdir.submissions / UNCONSTRAINED, "is at work", workdir.locks),
        pytest.raises(UserError, match=f"Another process is writing the archive {UNCONSTRAINED}"),
    ):
        write_archive(_request(tmp_path), workdir)
