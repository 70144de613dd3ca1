"""Checks the text of a file of an archive: UTF-8, one segment per line."""

from collections.abc import Callable, Iterator, Sequence

from harness.core.findings import Finding, Severity

_BOM = "\ufeff"
_SEPARATORS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""Characters other than the line feed at which some readers, such as Python's splitlines, end a line."""


def check_lines(path: str, data: bytes, expected: int | None) -> Iterator[Finding]:
    """Check a file of translations: `path` is its name in findings, `expected` its number of segments where known.

    Empty lines are warnings, not errors: a model may generate no text for a silent segment, and made-up text would be
    worse. A file without any text is an error.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield Finding(path, "encoding", f"Line {line} is not valid UTF-8: save the file as UTF-8.")
        return
    if text.startswith(_BOM):
        sentence = "It begins with a byte order mark, which becomes part of line 1: remove it."
        yield Finding(path, "byte-order-mark", sentence)
    lines = text.removesuffix("\n").split("\n") if text else []  # as the campaign counts lines
    if expected is not None and len(lines) != expected:
        sentence = f"It has {len(lines)} lines for {expected} segments: write exactly one line per segment."
        yield Finding(path, "line-count", sentence)
    yield from _check_characters(path, text, lines)
    yield from _check_emptiness(path, lines)


def _check_characters(path: str, text: str, lines: Sequence[str]) -> Iterator[Finding]:
    if "\r" in text:
        where = _where(lines, lambda line: "\r" in line)
        yield Finding(path, "carriage-return", f"There are carriage returns {where}: end lines with line feeds only.")
    if any(mark in text for mark in _SEPARATORS):
        where = _where(lines, lambda line: any(mark in line for mark in _SEPARATORS))
        reason = "at which some readers end a line: replace them by spaces."
        sentence = f"There are line separators inside lines {where}, {reason}"
        yield Finding(path, "line-separator", sentence, Severity.WARNING)
    if text and not text.endswith("\n"):
        sentence = "The last line does not end with a line feed, and tools that count line feeds miss it: add one."
        yield Finding(path, "final-newline", sentence, Severity.WARNING)


def _check_emptiness(path: str, lines: Sequence[str]) -> Iterator[Finding]:
    def is_empty(line: str) -> bool:
        return not line.strip().strip(_BOM)

    count = sum(map(is_empty, lines))
    if count == len(lines):
        yield Finding(path, "no-text", "No line contains any text: check that this is the right file.")
    elif count:
        found = f"{count} of {len(lines)} translations are empty ({_where(lines, is_empty)})"
        sentence = f"{found}: check whether the model left them empty."
        yield Finding(path, "empty-line", sentence, Severity.WARNING)


def _where(lines: Sequence[str], matches: Callable[[str], bool]) -> str:
    numbers = [str(number) for number, line in enumerate(lines, start=1) if matches(line)]
    named = numbers[:5] + ["..."] * (len(numbers) > 5)
    return f"in line{'s' if len(numbers) > 1 else ''} {', '.join(named)}"
