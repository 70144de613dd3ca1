"""External hypotheses: read, scored, ranked with our systems, and never taken for measured."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from harness.config.task import Task, load_task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.evaluation.evaluate import evaluate_external
from harness.evaluation.evaluation_store import load_evaluations
from harness.evaluation.external_hypotheses import (
    ExternalHypotheses,
    HypothesisImport,
    import_hypotheses,
    load_external_hypotheses,
    read_texts,
)
from harness.reporting.leaderboard import Row, Section, render_markdown
from harness.reporting.leaderboard.assemble import assemble_leaderboard
from harness.scoring.context import ScoringContext
from harness.submission.check import DESCRIPTION_SUFFIX
from harness.submission.rescore import rescore
from harness.testsets.load import load_test_set
from harness.testsets.segments import Segment
from harness.testsets.segments_yaml import to_yaml
from harness.testsets.testset import TestSet
from tests.helpers.tiny_task import SENTENCES, write_tiny_task
from tests.reporting.leaderboard.board import make_board

GERMAN = tuple(german for _, german, _ in SENTENCES)


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Return a tiny task with one test set of three sentences in one recording."""
    return load_task(str(write_tiny_task(tmp_path / "task")))


@pytest.fixture
def test_set(task: Task, workdir: WorkDir) -> TestSet:
    """Return its test set."""
    return load_test_set(task.test_sets["en-de"][0], workdir)


def write(path: Path, text: str) -> Path:
    """Write a file and return its path."""
    path.write_bytes(text.encode())
    return path


def bring(
    path: Path, test_set: TestSet, workdir: WorkDir, name: str = "theirs", column: str = ""
) -> ExternalHypotheses:
    """Import a file with a declared size of 5 MB."""
    return import_hypotheses(HypothesisImport(name, path, column, 5_000_000), test_set, "en-de", workdir)


def ranked(task: Task, test_set: TestSet, workdir: WorkDir) -> tuple[Row, ...]:
    """Evaluate every import and return the rows of the leaderboard's only section."""
    context = ScoringContext(task, test_set, "en-de", workdir)
    for made in load_external_hypotheses(test_set.name, "en-de", workdir):
        evaluate_external(made, context)
    (section,) = assemble_leaderboard(task, load_evaluations(task, workdir)).sections
    return section.rows


def test_csv_and_text_give_the_same_lines(tmp_path: Path) -> None:
    """Forbids that quoting, byte order marks or line breaks inside cells change or split a translation."""
    text = write(tmp_path / "a.txt", "eins, zwei\n\ndrei vier\n")
    table = write(tmp_path / "a.csv", '\ufeffid,hypothesis\r\n1,"eins, zwei"\r\n2,\r\n3,"drei\nvier"\r\n')
    assert read_texts(text, "") == read_texts(table, "hypothesis") == ("eins, zwei", "", "drei vier")


@pytest.mark.parametrize(
    ("name", "text", "column", "sentence"),
    [
        ("a.csv", "id,hypothesis\n1,x\n", "text", "name one of id, hypothesis"),
        ("a.csv", "id,id\n1,x\n", "id", "no single column"),
        ("a.csv", "id,hypothesis\n1\n", "hypothesis", "row 1, has 1 cells for 2 columns"),
        ("a.csv", 'id,hypothesis\n1,"x\n', "hypothesis", "is not a CSV file"),
        ("a.csv", "", "hypothesis", "is not a CSV file"),
        ("a.txt", "x\n", "hypothesis", "leave out --column"),
    ],
)
def test_a_table_that_does_not_read_is_one_sentence(
    name: str, text: str, column: str, sentence: str, tmp_path: Path
) -> None:
    """Forbids guessing a column, dropping short rows, and tracebacks of the CSV reader."""
    with pytest.raises(UserError, match=sentence):
        read_texts(write(tmp_path / name, text), column)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """Forbids replacing what is not UTF-8."""
    (tmp_path / "a.txt").write_bytes(b"gr\xf6\xdfe\n")
    with pytest.raises(UserError, match="is not UTF-8"):
        read_texts(tmp_path / "a.txt", "")


def test_an_import_is_ranked_beside_ours_and_marked(
    task: Task, test_set: TestSet, workdir: WorkDir, tmp_path: Path
) -> None:
    """Forbids an external system without rank, one that passes for measured, and two rows for one name."""
    bring(write(tmp_path / "bad.txt", "nein\nnein\nnein\n"), test_set, workdir)
    made = bring(write(tmp_path / "good.txt", "".join(f"{line}\n" for line in GERMAN)), test_set, workdir)
    bring(write(tmp_path / "worse.txt", "das Modell\nwir messen\nnein\n"), test_set, workdir, name="worse")
    assert [entry.name for entry in load_external_hypotheses(test_set.name, "en-de", workdir)] == ["theirs", "worse"]
    assert load_external_hypotheses(test_set.name, "en-zh", workdir) == ()
    rows = {row.system: row for row in ranked(task, test_set, workdir)}
    best = rows["theirs"]
    assert (best.role, best.bytes, best.weights_bytes, best.fits, best.declared) == (
        "external", 5_000_000, None, False, True,
    )  # fmt: skip
    assert best.value("chrF") == pytest.approx(100)
    assert best.artifact == made.artifact
    assert best.scores[0].signature.endswith(f"|gen:external|declared:5000000 bytes|artifact:{made.artifact}")
    assert best.interval is not None
    assert best.cluster == 1
    page = render_markdown(make_board(Section("en-de", test_set.name, tuple(rows.values()))))
    assert "External; bytes as declared, not measured: theirs, worse." in page
    assert "| cluster |" in page


@pytest.mark.parametrize(
    ("lines", "segments", "sentence"),
    [
        (2, (), "has 2 lines, but tiny-set has 3 gold segments and 1 recordings"),
        (2, (Segment("2026.tiny-talks.7.wav", 0.0, 1.0),), "has 2 lines for 1 segments"),
    ],
)
def test_lines_that_belong_to_nothing_are_refused(
    lines: int, segments: tuple[Segment, ...], sentence: str, test_set: TestSet, workdir: WorkDir, tmp_path: Path
) -> None:
    """Forbids scoring lines against references that they are not translations of."""
    path = write(tmp_path / "a.txt", "eins\n" * lines)
    with pytest.raises(UserError, match=sentence):
        import_hypotheses(HypothesisImport("theirs", path, "", 1, segments), test_set, "en-de", workdir)
    with pytest.raises(UserError, match="is not a system name"):
        bring(path, test_set, workdir, name="../theirs")


def test_one_line_per_recording_is_cut_along_the_references(
    task: Task, test_set: TestSet, workdir: WorkDir, tmp_path: Path
) -> None:
    """Forbids that a translation of a whole recording loses against the same words in lines."""
    bring(write(tmp_path / "a.txt", " ".join(GERMAN)), test_set, workdir)
    (row,) = ranked(task, test_set, workdir)
    assert row.value("chrF") == pytest.approx(100)
    assert "|reseg:mweralign " in row.scores[0].signature


def test_a_folder_of_submissions_is_rescored(task: Task, test_set: TestSet, workdir: WorkDir, tmp_path: Path) -> None:
    """Forbids that archives and folders score differently, that sizes go undeclared, and that one fault stops all."""
    folder = tmp_path / "all"
    text = "".join(f"{line}\n" for line in GERMAN)
    (folder / "B" / "MODELCOMPRESSION" / "TINY").mkdir(parents=True)
    write(folder / "B" / "MODELCOMPRESSION" / "TINY" / "en_de.txt", " ".join(GERMAN) + "\nnein\n")
    (folder / "B.segments").mkdir()
    wav = test_set.file_order[0]
    (folder / "B.segments" / "TINY.yaml").write_bytes(to_yaml([Segment(wav, 0.0, 1.0), Segment(wav, 1.0, 1.0)]))
    for name, lines in (("A", text), ("C", "eins\nzwei\n")):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr("MODELCOMPRESSION/TINY/en_de.txt", lines)
    write(folder / f"A{DESCRIPTION_SUFFIX}", "- All files: 3,980,000 bytes = 3.98 GB\n")
    write(folder / "D.zip", "no zip")
    report = rescore(folder, task, workdir)
    assert [(row.name, row.direction, row.declared_bytes) for row in report.rows] == [
        ("A", "en-de", 3_980_000), ("B", "en-de", None),
    ]  # fmt: skip
    assert report.rows[0].value("chrF") == pytest.approx(100)
    assert 50 < (report.rows[1].value("chrF") or 0) < 100
    assert [(finding.path, finding.rule) for finding in report.findings] == [
        ("D.zip", "not-a-zip"), ("C/MODELCOMPRESSION/TINY/en_de.txt", "not-scored"),
    ]  # fmt: skip
    with pytest.raises(UserError, match="holds no submission"):
        rescore(tmp_path / "all" / "B.segments", task, workdir)


def test_a_set_without_references_has_no_number(
    task: Task, test_set: TestSet, workdir: WorkDir, tmp_path: Path
) -> None:
    """Forbids a score of 0, or a rank, where there are no references."""
    made = bring(write(tmp_path / "a.txt", "\n".join(GERMAN)), test_set, workdir)
    blind = replace(test_set, references={})
    found = evaluate_external(made, ScoringContext(task, blind, "en-de", workdir))
    (row,) = assemble_leaderboard(task, [found]).sections[0].rows
    assert (row.scores, row.interval, row.cluster) == ((), None, None)
