"""The papers' tables with what was measured here beside what was published, never mixed; no model is needed."""

from harness.reporting.paper_tables.filled import FilledTable, fill
from harness.reporting.paper_tables.render import render_markdown, render_terminal
from harness.reporting.paper_tables.result_index import ResultIndex

__all__ = ["FilledTable", "ResultIndex", "fill", "render_markdown", "render_terminal"]
