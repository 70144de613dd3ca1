"""Checks the text of a file of an archive: UTF-8, one segment per line."""

from collections.abc import Callable, Iterator, Sequence

from harness.core.findings import Finding, Severity

_BOM = "\ufeff"
_SEPARATORS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""Characters other than the line feed at which some readers, such as Python's splitlines, end a line."""
_NAMED = 5
"""Line numbers that a finding lists."""


def check_lines(path: str, data: bytes, expected: int | None) -> Iterator[Finding]:
    """Check a file of translations.

    Args:
        path: the file's name in findings.
        data: its content.
        expected: number of segments, or None.

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
        yield Finding(
            path, "byte-order-mark", "It begins with a byte order mark, which becomes part of line 1: remove it."
        )
    lines = _lines(text)
    if expected is not None and len(lines) != expected:
        sentence = f"It has {len(lines)} lines for {expected} segments: write exactly one line per segment."
        yield Finding(path, "line-count", sentence)
    yield from _check_characters(path, text, lines)
    yield from _check_emptiness(path, lines)


def _lines(text: str) -> list[str]:
    """Split at line feeds only, as the campaign counts lines; the last line may lack one."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _check_characters(path: str, text: str, lines: Sequence[str]) -> Iterator[Finding]:
    if "\r" in text:
        where = _where(lines, lambda line: "\r" in line)
        yield Finding(path, "carriage-return", f"There are carriage returns {where}: end lines with line feeds only.")
    if any(mark in text for mark in _SEPARATORS):
        where = _where(lines, lambda line: any(mark in line for mark in _SEPARATORS))
        sentence = (
            f"There are line separators inside lines {where}, at which some readers end a line: replace them by spaces."
        )
        yield Finding(path, "line-separator", sentence, Severity.WARNING)
    if text and not text.endswith("\n"):
        sentence = "The last line does not end with a line feed, and tools that count line feeds miss it: add one."
        yield Finding(path, "final-newline", sentence, Severity.WARNING)


def _check_emptiness(path: str, lines: Sequence[str]) -> Iterator[Finding]:
    empty = [line for line in lines if not _has_text(line)]
    if len(empty) == len(lines):
        yield Finding(path, "no-text", "No line contains any text: check that this is the right file.")
    elif empty:
        where = _where(lines, lambda line: not _has_text(line))
        sentence = (
            f"{len(empty)} of {len(lines)} translations are empty ({where}): check whether the model left them empty."
        )
        yield Finding(path, "empty-line", sentence, Severity.WARNING)


def _has_text(line: str) -> bool:
    return bool(line.strip().strip(_BOM))


def _where(lines: Sequence[str], matches: Callable[[str], bool]) -> str:
    numbers = [str(number) for number, line in enumerate(lines, start=1) if matches(line)]
    more = ", ..." if len(numbers) > _NAMED else ""
    return f"in line{'s' if len(numbers) > 1 else ''} {', '.join(numbers[:_NAMED])}{more}"
