"""Tables in Markdown."""

from harness.core.markdown import aligned_table, compact_table


def test_tables_by_hand() -> None:
    """Forbids another alignment row, padding that differs between rows, and a text that ends its cell."""
    headers, rows = ("name", "n"), (("a|b", "1"), ("c\nd", "10"))
    assert aligned_table(headers, rows, {0}) == ["| name |  n |", "|------|---:|", "| a\\|b |  1 |", "| c d  | 10 |"]
    assert compact_table(("", "n"), rows, {0}) == ["| | n |", "|---|--:|", "| a\\|b | 1 |", "| c d | 10 |"]
