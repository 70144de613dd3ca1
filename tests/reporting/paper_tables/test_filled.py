"""harness.reporting.paper_tables: our numbers beside the published ones."""

import pytest

from harness.config.task import load_task
from harness.core.workdir import WorkDir
from harness.reporting.paper_tables import FilledTable, ResultIndex, fill, render_markdown, render_terminal
from harness.reporting.paper_tables.filled import FilledRow
from harness.reporting.paper_tables.published import Measure, load_published

LIBRARY = load_published()
Numbers = dict[tuple[str, Measure, str], float]


class Stand(ResultIndex):
    """A results whose numbers are written by hand, by system, measure and direction."""

    def __init__(self, workdir: WorkDir, numbers: Numbers) -> None:
        super().__init__(load_task("demo"), workdir)
        self._numbers = numbers

    def value(self, system: str, measure_: Measure, direction: str, test_set: str) -> float | None:
        assert (direction == "") == (test_set == "")
        return self._numbers.get((system, measure_, direction))


def filled(name: str, workdir: WorkDir, numbers: Numbers) -> FilledTable:
    return fill(*LIBRARY.table(name), "demo", Stand(workdir, numbers))


def row_of(table: FilledTable, label: str) -> FilledRow:
    return next(row for row in table.rows if row.label == label)


def ours(row: FilledRow) -> list[float | None]:
    return [cell.ours.value for cell in row.cells]


def test_the_random_row_is_the_mean_of_three(workdir: WorkDir) -> None:
    """Forbids one draw, or the sum, in the place of the mean: (20 + 21 + 25) / 3 = 22."""
    names = ("hqq-random4-a", "hqq-random4-b", "hqq-random4-c")
    numbers: Numbers = {
        (name, Measure.BLEU, "en-de"): bleu for name, bleu in zip(names, (20.0, 21.0, 25.0), strict=True)
    }
    assert ours(row_of(filled("diet-kit-4", workdir, numbers), "+ Random 4 layers")) == [22.0, None, None, None]


def test_a_mean_over_fewer_is_no_mean(workdir: WorkDir) -> None:
    """Forbids that two of three draws pass for the random row."""
    numbers: Numbers = {(f"hqq-random4-{x}", Measure.BLEU, "en-de"): 20.0 for x in "ab"}
    assert ours(row_of(filled("diet-kit-4", workdir, numbers), "+ Random 4 layers"))[0] is None


def test_differences_and_ratios_refer_to_the_tables_base(workdir: WorkDir) -> None:
    """Forbids another base than fp16-instruct, and a ratio upside down: 70 - 80 = -10, 4000 / 1000 = 4."""
    numbers: Numbers = {
        ("fp16-instruct", Measure.COMET, "en-zh"): 80.0,
        ("codec-global-q2", Measure.COMET, "en-zh"): 70.0,
        ("fp16-instruct", Measure.LINEAR_LAYERS, ""): 4000,
        ("codec-global-q2", Measure.LINEAR_LAYERS, ""): 1000,
        ("codec-selected-q2", Measure.LINEAR_LAYERS, ""): 2000,
    }
    table = filled("selected-codec-1", workdir, numbers)
    assert ours(row_of(table, "global, q2 + Zstd 3")) == [70.0, -10.0, None, 4.0, 1000]
    assert ours(row_of(table, "selected layers, q2 + Zstd 3")) == [None, None, None, 2.0, 2000]
    without = filled("selected-codec-1", workdir, {("bnb-int8", Measure.COMET, "en-zh"): 70.0})
    assert ours(row_of(without, "bitsandbytes int8"))[:2] == [70.0, None]


def test_ours_and_theirs_never_mix(workdir: WorkDir) -> None:
    """Forbids a published figure in our column: with nothing measured, all of ours are empty and theirs are there."""
    for name in LIBRARY.tables:
        table = filled(name, workdir, {})
        assert {value for row in table.rows for value in ours(row)} == {None}
        assert any(cell.published.value is not None for row in table.rows for cell in row.cells)


def line_of(text: str, system: str) -> list[str]:
    """Return the cells of the Markdown line of a system."""
    line = next(line for line in text.splitlines() if f"| {system} " in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_markdown_says_whose_number_it_is_and_in_which_unit(workdir: WorkDir) -> None:
    """Forbids a column without owner or unit, and a cell that hides why it is empty."""
    numbers: Numbers = {
        ("hqq4-emb4", Measure.ALL_FILES, ""): 1_234_567,
        ("hqq4-emb4", Measure.BLEU, "en-de"): 66.789,
    }
    text = render_markdown([filled("diet-kit-1", workdir, numbers)])
    assert line_of(text, "hqq4-emb4")[3:-1] == [
        "66.79", "not available", "-", "74.2", "-", "not available", "-", "78.2", "1,234,567", "4.41",
    ]  # fmt: skip
    assert line_of(text, "hqq-primary-fit")[4] == "not published"
    header = text.splitlines()[2]
    for title in ("BLEU en-de, ours (x 100)", "COMET en-de, published (x 100)", "size, published (GiB)"):
        assert f" {title} |" in header
    assert "size, ours (bytes, all files)" in header
    assert "Published size in GiB: whole directory; printed as GB" in text
    assert "en-de on demo-eval, en-zh on demo-eval" in text


def test_a_cell_of_another_scope_says_so(workdir: WorkDir) -> None:
    """Forbids int8's whole directory in a column of linear layers without a word."""
    text = render_markdown([filled("selected-codec-1", workdir, {})])
    assert "9.026 (whole directory)" in line_of(text, "bnb-int8")
    assert "8.422" in line_of(text, "codec-selected-q2")


@pytest.mark.parametrize("name", list(LIBRARY.tables))
def test_the_terminal_shows_every_number_whole(workdir: WorkDir, name: str) -> None:
    """Forbids that a narrow terminal cuts a system's name or a number, and lines that are too long for it."""
    table = filled(name, workdir, {})
    text = render_terminal([table], width=160)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 160
    for row in table.rows:
        assert all(system in text for system in row.systems)
        assert all(cell.published.value is None or cell.published.text in text for cell in row.cells)
