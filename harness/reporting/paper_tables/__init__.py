"""The papers' tables made again: what was measured here beside what was published, never mixed.

    results.py     what the artifacts and evaluations on disk say of a system
    filled.py    a published table with our numbers beside each of its own
    text.py      a filled table as rows of texts with their headers and legend
    render.py    those as Markdown and for a terminal

A pure function of files: needs no model.
"""

from harness.reporting.paper_tables.filled import FilledTable, fill
from harness.reporting.paper_tables.render import render_markdown, render_terminal
from harness.reporting.paper_tables.result_index import ResultIndex

__all__ = ["FilledTable", "ResultIndex", "fill", "render_markdown", "render_terminal"]
