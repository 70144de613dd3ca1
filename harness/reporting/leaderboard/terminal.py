"""The leaderboard for a terminal: the columns that fit side by side."""

import io
from typing import TYPE_CHECKING

from harness.reporting.leaderboard.columns import columns
from harness.reporting.leaderboard.markdown import DEMO_COMET, best_sentence
from harness.reporting.leaderboard.means import means
from harness.reporting.leaderboard.rows import Leaderboard, Section, standings
from harness.scoring.metric import describe_units

if TYPE_CHECKING:
    from rich.table import Table


def render_terminal(board: Leaderboard, width: int = 120) -> str:
    """Return the tables as plain text of at most `width` columns, each with the best system within the limit."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, highlight=False, emoji=False, markup=False)
    for section in (*means(board.sections), *board.sections):
        console.print(section.title)
        console.print(_table(board, section))
        console.print(best_sentence(board, section), end="\n\n")
    console.print(
        f"★ Pareto frontier of quality and bytes of all files; {describe_units(board.metrics)}; s/item at batch 1; "
        "seg/s batched; MiB: peak memory; - not measured."
    )
    if any(DEMO_COMET in score.signature for s in board.sections for row in s.rows for score in row.scores):
        console.print("COMET is demo-comet, the demo's own tiny model: never comparable with a published one.")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _table(board: Leaderboard, section: Section) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    shown = [column for column in columns(board) if column.short]
    for column in shown:
        table.add_column(Text(column.short), justify="right" if column.is_number else "left", no_wrap=True)
    for standing in standings(section, board.quality):
        table.add_row(*(Text(column.text(standing, "-")) for column in shown))
    return table
