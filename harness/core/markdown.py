"""Tables in Markdown, aligned for reading the source or compact.

tabulate is not used: it widens every header unless a global of the module is changed, and measures widths by wcwidth
where that is installed, so that the same table would not always give the same bytes.
"""

from collections.abc import Collection, Sequence


def escaped(text: str) -> str:
    """Return a text that stays in its cell: bars are escaped, line breaks and runs of white space become one space."""
    return " ".join(text.split()).replace("|", "\\|")


def aligned_table(headers: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """Return the lines of a table whose columns are padded; those in `left` are aligned left, others hold numbers."""
    cells = [[escaped(text) for text in row] for row in (headers, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]
    rules = ["-" * (width + 2) if i in left else "-" * (width + 1) + ":" for i, width in enumerate(widths)]
    columns = [(width, str.ljust if i in left else str.rjust) for i, width in enumerate(widths)]
    head, *body = [_line([pad(text, width) for text, (width, pad) in zip(row, columns, strict=True)]) for row in cells]
    return [head, f"|{'|'.join(rules)}|", *body]


def compact_table(headers: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """Return the lines of a table without padding; arguments as for `aligned_table`."""
    rules = ["---" if i in left else "--:" for i in range(len(headers))]
    return [_line(headers), f"|{'|'.join(rules)}|", *(_line([escaped(text) for text in row]) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {text} " if text else " " for text in cells) + "|"
