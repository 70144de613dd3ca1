"""The leaderboard's files: a golden page, exact numbers, and the same bytes every time."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import msgspec

from harness.reporting.leaderboard import (
    render_csv,
    render_json,
    render_markdown,
    render_png,
    render_terminal,
    write_leaderboard,
)
from harness.reporting.leaderboard.means import means
from harness.reporting.leaderboard.rows import Section, best_within_limit
from harness.scoring.metric import Score
from harness.scoring.significance import Interval
from tests.reporting.leaderboard.board import CHINESE, GERMAN, SCALES, make_board, make_row

BOARD = make_board(GERMAN, CHINESE)
GOLDEN = Path(__file__).with_name("golden.md")


def test_markdown_is_the_golden_page() -> None:
    """Forbids any change of the page that nobody looked at: golden.md was read and its numbers checked by hand."""
    assert render_markdown(BOARD) == GOLDEN.read_text(encoding="utf-8")


def test_every_line_of_a_table_is_equally_long() -> None:
    """Forbids columns that do not stand below each other."""
    lengths = {len(line) for line in render_markdown(make_board(GERMAN)).splitlines() if line.startswith("|")}
    assert len(lengths) == 1


def test_what_was_not_measured_is_never_a_number() -> None:
    """Forbids 0 or an empty cell for quality, cross-entropy, speed and rank of a system without them."""
    (row,) = [row for row in csv.DictReader(io.StringIO(render_csv(BOARD))) if row["system"] == "three"]
    unmeasured = {key for key, value in row.items() if value == "not measured"}
    assert unmeasured == {
        "rank", "BLEU", "chrF", "cross-entropy", "seconds_per_item", "segments_per_second", "peak_mib",
    }  # fmt: skip
    (line,) = [line for line in render_markdown(BOARD).splitlines() if line.startswith("|") and "| three " in line]
    assert [cell.strip() for cell in line.split("|")].count("-") == len(unmeasured)


def test_csv_and_json_hold_exact_values() -> None:
    """Forbids rounding in the files that programs read."""
    row = next(row for row in csv.DictReader(io.StringIO(render_csv(BOARD))) if row["system"] == "four")
    assert (row["direction"], row["BLEU"], row["bytes"]) == ("mean of en-de, en-zh", "32.25", "3500000000")
    assert float(row["gib"]) == 3_500_000_000 / 2**30
    assert float(row["ratio_to_fp16"]) == 8 / 3.5
    value = json.loads(render_json(BOARD))
    german = next(section for section in value["sections"] if section["direction"] == "en-de")
    first = german["standings"][0]
    assert (first["row"]["system"], first["place"]) == ("eight", {"rank": 1, "size_rank": 3, "pareto": True})
    assert first["row"]["scores"][0]["value"] == 30.0


def test_mean_of_directions_by_hand() -> None:
    """Forbids a mean over fewer directions than there are, and any but the unweighted one."""
    (mean,) = means([GERMAN, CHINESE])
    found = {row.system: row for row in mean.rows}
    assert {name: row.value("BLEU") for name, row in found.items()} == {
        "fp16-toy": 35.0, "eight": 35.25, "four": 32.25,
    }  # fmt: skip
    assert mean.left_out == ("three",)
    assert [score.segments for score in found["four"].scores] == [300, 300]
    assert means([GERMAN]) == ()


def test_mean_leaves_out_what_one_direction_lacks() -> None:
    """Forbids that a system unmeasured in one direction gets the mean of the others, in score or speed."""
    one = Section("en-de", "t", (make_row("a", 9, 20.0),))
    other = Section("en-zh", "t", (make_row("a", 9, None, speed=None),))
    (mean,) = means([one, other])
    assert mean.rows[0].scores == ()
    assert mean.rows[0].speed is None


def test_the_best_within_the_limit_fits() -> None:
    """Forbids naming a system that is over the limit, or one without a score."""
    best = best_within_limit(GERMAN, SCALES[0])
    assert best is not None
    assert best.system == "four"
    assert best_within_limit(Section("en-de", "t", GERMAN.rows[:2]), SCALES[0]) is None


def test_order_of_rows_and_process_change_no_byte(tmp_path: Path) -> None:
    """Forbids bytes that depend on the order of the input, on hash seeds or on the process."""
    shuffled = make_board(*(msgspec.structs.replace(s, rows=s.rows[::-1]) for s in BOARD.sections))
    written = [path.read_bytes() for path in write_leaderboard(BOARD, tmp_path)]
    again = [path.read_bytes() for path in write_leaderboard(shuffled, tmp_path)]
    assert written == again
    code = (
        "import sys; from harness.reporting.leaderboard import render_png, render_markdown\n"
        "from tests.reporting.leaderboard.test_render import BOARD\n"
        "sys.stdout.buffer.write(render_png(BOARD) + render_markdown(BOARD).encode())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == written[3] + written[0]


def test_a_hostile_name_stays_in_its_cell() -> None:
    """Forbids that a bar or a line break in a name breaks the table."""
    section = Section("en-de", "t", (make_row("a|b\n| c", 9, 20.0),))
    (line,) = [line for line in render_markdown(make_board(section)).splitlines() if "a\\|b \\| c |" in line]
    assert line.startswith("|    1 |")


def test_terminal_shows_all_systems_in_its_width() -> None:
    """Forbids lines that wrap in a terminal of 110 columns, and names cut off."""
    text = render_terminal(BOARD, width=110)
    assert max(map(len, text.splitlines())) <= 110
    assert all(text.count(f" {system} ") >= 2 for system in ("fp16-toy", "eight", "four"))
    assert "Best within the limit: four (BLEU 32.25, 3,500,000,000 bytes)." in text


def test_a_board_without_any_score_is_drawn() -> None:
    """Forbids that a leaderboard fails before anything was scored."""
    board = make_board(Section("en-de", "t", (make_row("a", 9, None),)))
    assert render_png(board).startswith(b"\x89PNG")
    assert "Best within the limit: not known" in render_markdown(board)
    assert "Best within the limit: none" in render_markdown(make_board(Section("en-de", "t", GERMAN.rows[:2])))


def test_a_set_without_references_says_so() -> None:
    """Forbids 0, a dash or an empty cell where a score would need references."""
    board = make_board(Section("en-de", "blind", (make_row("a", 9, None), make_row("b", 8, None))))
    for row in csv.DictReader(io.StringIO(render_csv(board))):
        assert {row[metric] for metric in board.metric_names} == {"no reference"}
        assert row["rank"] == "not measured"
    assert render_markdown(board).count("no reference |") == 2 * len(board.metrics)


def test_clusters_and_intervals_have_columns_where_they_were_computed() -> None:
    """Forbids a cluster without its interval, a column of dashes on boards without any, and a mean that keeps one's."""
    plain = make_board(GERMAN, CHINESE)
    assert "cluster" not in render_markdown(plain)
    row = msgspec.structs.replace(GERMAN.rows[0], cluster=2, interval=Interval(30.0, 28.25, 31.5))
    board = make_board(msgspec.structs.replace(GERMAN, rows=(row, *GERMAN.rows[1:])), CHINESE)
    found = {(r["direction"], r["system"]): r for r in csv.DictReader(io.StringIO(render_csv(board)))}
    german, mean = found["en-de", "fp16-toy"], found["mean of en-de, en-zh", "fp16-toy"]
    assert (german["cluster"], german["interval_low"], german["interval_high"]) == ("2", "28.25", "31.5")
    assert (mean["cluster"], mean["interval_low"]) == ("not measured", "not measured")
    assert "paired bootstrap" in render_markdown(board)


def test_the_demos_comet_is_named_on_every_page() -> None:
    """Forbids that a number of the demo's own COMET passes for a published one's."""
    score = Score("COMET", 80.0, "x 100", "COMET|model:demo-comet@0123456789ab|batch:64", 150)
    row = msgspec.structs.replace(GERMAN.rows[0], scores=(*GERMAN.rows[0].scores, score))
    board = make_board(msgspec.structs.replace(GERMAN, rows=(row,)))
    assert "never comparable" in " ".join(render_markdown(board).split())
    assert "never comparable" in render_terminal(board)
    assert "comparable" not in render_markdown(BOARD)
