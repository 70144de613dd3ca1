"""Filled tables as Markdown and for a terminal."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.core.markdown import aligned_table
from harness.reporting.paper_tables.filled import FilledTable
from harness.reporting.paper_tables.text import TextTable, as_text

if TYPE_CHECKING:
    from rich.table import Table


def render_markdown(tables: Sequence[FilledTable]) -> str:
    """Return the tables as Markdown: each with heading, cells and legend."""
    return "\n".join(_markdown(as_text(table)) for table in tables)


def _markdown(table: TextTable) -> str:
    cells = aligned_table(table.headers, table.rows, table.left)
    return "\n".join([f"## {table.title}", "", *cells, "", *(f"- {line}" for line in table.legend), ""])


def render_terminal(tables: Sequence[FilledTable], width: int = 120) -> str:
    """Return the tables as plain text, wrapped to `width` columns; 160 show every table without breaking a word."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, highlight=False, emoji=False, markup=False)
    for table in map(as_text, tables):
        console.print(table.title)
        console.print(_terminal(table))
        for line in table.legend:
            console.print(f"* {line}")
        console.print()
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _terminal(table: TextTable) -> "Table":
    """Return the table without cut words; the paper's labels and places appear only in Markdown and JSON."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    wanted = [index for index in range(len(table.short)) if index not in (1, len(table.short) - 1)]
    for index in wanted:
        header = Text(table.short[index].replace(" ", "\n"))
        shown.add_column(header, justify="left" if index in table.left else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(row[index]) for index in wanted))
    return shown
