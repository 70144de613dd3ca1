"""harness.reporting.paper_tables.published: the papers' figures with unit, scope and source."""

import re
from pathlib import Path

import pytest

from harness.compression.registry import all_systems
from harness.core.errors import NewerFormatError, UserError
from harness.reporting.paper_tables.published import FORMAT, Absent, figures_root, load_published, read_paper

LIBRARY = load_published()


def test_the_tables_of_both_papers_are_there() -> None:
    """Forbids a table that got lost."""
    first = ["diet-kit-1", "diet-kit-4", "diet-kit-5", "diet-kit-6"]
    assert list(LIBRARY.tables) == [*first, "selected-codec-1", "selected-codec-blind"]


@pytest.mark.parametrize(
    ("table", "system", "header", "printed", "value", "unit"),
    [
        ("diet-kit-1", "hqq-primary", "COMET en-de", "74.4", 74.4, "x 100"),
        ("diet-kit-1", "hqq3", "BLEU en-zh", "15.6", 15.6, "x 100"),
        ("diet-kit-1", "hqq4-emb2-g128", "size", "4.03", 4.03, "GiB"),
        ("diet-kit-4", "hqq-random4-b", "BLEU en-zh", "30.7", 30.7, "x 100"),
        ("diet-kit-5", "hqq-awq-de-128", "COMET en-zh", "77.7", 77.7, "x 100"),
        ("diet-kit-6", "hqq-contrastive", "CallCenter", "62.7", 62.7, "x 100"),
        ("selected-codec-1", "codec-selected-q3", "COMET en-zh", "0.776689", 77.6689, "x 100"),
        ("selected-codec-1", "codec-prune-q2", "COMET - fp16", "-0.192048", -19.2048, "x 100"),
        ("selected-codec-1", "codec-global-q2", "fp16 / size", "3.979", 3.979, ""),
        ("selected-codec-1", "bnb-int8", "s/item", "2.538633", 2.538633, "s"),
        ("selected-codec-blind", "codec-selected-q3", "COMET en-zh", "0.339", 33.9, "x 100"),
    ],
)
def test_figures_are_the_papers(table: str, system: str, header: str, printed: str, value: float, unit: str) -> None:
    """Forbids a figure of another cell, and a wrong conversion (expected values copied from the papers by hand)."""
    figure = LIBRARY.figure(table, system, header)
    assert (figure.as_printed, figure.value, figure.unit) == (printed, value, unit)


def test_conversion_keeps_the_digits_that_were_printed() -> None:
    """Forbids digits that the paper does not print, and a zero that loses its own."""
    assert LIBRARY.figure("selected-codec-1", "fp16-instruct", "COMET en-zh").text == "77.9163"
    assert LIBRARY.figure("selected-codec-1", "fp16-instruct", "COMET - fp16").text == "0.0000"
    assert LIBRARY.figure("diet-kit-1", "hqq4", "COMET en-de").text == "74.0"


def test_a_missing_cell_has_no_value() -> None:
    """Forbids a number where the text at hand has none: hqq8 stands in a table that is missing from it."""
    figure = LIBRARY.figure("diet-kit-1", "hqq8", "COMET en-de")
    assert (figure.as_printed, figure.value) == (Absent.NOT_AVAILABLE, None)
    assert LIBRARY.figure("diet-kit-1", "hqq-primary-fit", "size").text == Absent.NOT_PUBLISHED


def test_int8_counts_another_scope_than_its_neighbours() -> None:
    """Forbids int8's whole directory printed as linear layers only."""
    scopes = {LIBRARY.figure("selected-codec-1", name, "size").scope for name in ("bnb-int8", "codec-selected-q2")}
    assert scopes == {"whole directory", "the 418 linear layers with biases"}


def test_the_papers_own_arithmetic_holds() -> None:
    """Forbids a mistyped row of the second paper: differences and ratios must follow from its other columns.

    Int8's ratio is that of whole directories, and the base's is 15.641 GiB.
    """
    names = ("bnb-int8", "codec-selected-q3", "codec-selected-q2", "codec-global-q2", "codec-prune-q2")

    def value(system: str, header: str) -> float:
        found = LIBRARY.figure("selected-codec-1", system, header).value
        assert found is not None
        return found

    for name in names:
        difference = value(name, "COMET en-zh") - value("fp16-instruct", "COMET en-zh")
        assert difference == pytest.approx(value(name, "COMET - fp16"), abs=2e-4)
        base = 15.641 if name == "bnb-int8" else value("fp16-instruct", "size")
        assert base / value(name, "size") == pytest.approx(value(name, "fp16 / size"), abs=1e-3)


EMPTY = '[[contrasts]]\nname = "a"\nsystems = ["hqq4"]\nother = "b"\nothers = []\nsource = "none"\n\n'
GOOD = (figures_root() / "selected-codec.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('cells = ["0.339"]', 'cells = ["0.339", "1"]', "2 cells for 1 columns"),
        ('cells = ["0.339"]', 'cells = ["about 0.3"]', "write a number"),
        ('cells = ["0.339"]', 'cells = ["nan"]', "write a number"),
        ('quantity = "blind-comet"', 'quantity = "chrf"', "'chrf', which is not defined"),
        ("scopes = { ratio", "scopes = { weight", "scope for 'weight'"),
        ('systems = ["fp16-instruct"]', "systems = []", "names no system"),
        ('ours = "linear layers ratio"', 'ours = "guess"', "Invalid enum value 'guess'"),
        ("places = 2", "place = 2", "unknown field `place`"),
        ("[[tables]]", EMPTY + "[[tables]]", "'a' against 'b' has an empty side"),
    ],
)
def test_data_that_contradict_themselves_are_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """Forbids that a slip in the data becomes a wrong table."""
    path = tmp_path / "paper.toml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(sentence)):
        read_paper(path)


def test_newer_figures_are_refused(tmp_path: Path) -> None:
    """Forbids reading figures whose meaning may have changed."""
    path = tmp_path / "paper.toml"
    path.write_text(GOOD.replace("format_version = 1", f"format_version = {FORMAT + 1}"), encoding="utf-8")
    with pytest.raises(NewerFormatError, match="upgrade the harness"):
        read_paper(path)


def test_an_unknown_table_is_named() -> None:
    """Forbids a traceback for a misspelt table."""
    with pytest.raises(UserError, match="there are diet-kit-1, diet-kit-4"):
        LIBRARY.table("diet-kit-2")


def test_every_system_of_the_tables_is_registered() -> None:
    """Forbids a row that can never be filled because its system's name is misspelt or was changed."""
    named = {system for _, table in LIBRARY.tables.values() for row in table.rows for system in row.systems}
    compared = {system for each in LIBRARY.contrasts for system in (*each.systems, *each.others)}
    assert named | compared <= {system.name for system in all_systems()}


def test_the_first_papers_contrasts_are_there() -> None:
    """Forbids a comparison that got lost: table 4 has four other choices, one of which is the mean of three draws."""
    assert [(each.other, len(each.others), each.source) for each in LIBRARY.contrasts] == [
        ("mean of the three random", 3, "Table 4"),
        ("first 4 layers", 1, "Table 4"),
        ("middle 4 layers", 1, "Table 4"),
        ("last 4 layers", 1, "Table 4"),
        ("without AWQ", 1, "Table 5"),
    ]
