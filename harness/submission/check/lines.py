"""The text of one file of an archive: UTF-8, one segment a line."""

from collections.abc import Callable, Iterator, Sequence

from harness.core.findings import Finding, Severity

_BOM = "\ufeff"
_SEPARATORS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""Characters that are no line feed, but at which some readers (Python's splitlines among them) end a line."""
_NAMED = 5


def check_lines(path: str, data: bytes, expected: int | None) -> Iterator[Finding]:
    """Check a file of translations.

    Args:
        path: how findings name the file.
        data: its content.
        expected: number of segments; None where it is not given.

    An empty line is a warning, not an error: a model may have nothing to say about a silent segment, and inventing
    a text for it would be worse. A file without any text at all is an error.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield Finding(path, "encoding", f"Line {line} is not valid UTF-8: save the file as UTF-8.")
        return
    if text.startswith(_BOM):
        yield Finding(
            path, "byte-order-mark", "It begins with a byte order mark, which becomes part of line 1: drop it."
        )
    lines = _lines(text)
    if expected is not None and len(lines) != expected:
        sentence = f"It has {len(lines)} lines for {expected} segments: write exactly one line per segment."
        yield Finding(path, "line-count", sentence)
    yield from _check_characters(path, text, lines)
    yield from _check_emptiness(path, lines)


def _lines(text: str) -> list[str]:
    """Split at line feeds alone, as the campaign's line counts do; a last line needs none."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _check_characters(path: str, text: str, lines: Sequence[str]) -> Iterator[Finding]:
    if "\r" in text:
        where = _where(lines, lambda line: "\r" in line)
        yield Finding(path, "carriage-return", f"There are carriage returns {where}: end lines by line feeds alone.")
    if any(mark in text for mark in _SEPARATORS):
        where = _where(lines, lambda line: any(mark in line for mark in _SEPARATORS))
        sentence = f"There are line separators inside lines {where}, at which some readers break: put spaces there."
        yield Finding(path, "line-separator", sentence, Severity.WARNING)
    if text and not text.endswith("\n"):
        sentence = "The last line does not end with a line feed, so tools that count line feeds miss it: add one."
        yield Finding(path, "final-newline", sentence, Severity.WARNING)


def _check_emptiness(path: str, lines: Sequence[str]) -> Iterator[Finding]:
    empty = [line for line in lines if not _says_something(line)]
    if len(empty) == len(lines):
        yield Finding(path, "no-text", "No line holds any text: was the right file packed?")
    elif empty:
        where = _where(lines, lambda line: not _says_something(line))
        sentence = f"{len(empty)} of {len(lines)} translations are empty ({where}): is that what the model said?"
        yield Finding(path, "empty-line", sentence, Severity.WARNING)


def _says_something(line: str) -> bool:
    return bool(line.strip().strip(_BOM))


def _where(lines: Sequence[str], is_meant: Callable[[str], bool]) -> str:
    numbers = [str(number) for number, line in enumerate(lines, start=1) if is_meant(line)]
    more = ", ..." if len(numbers) > _NAMED else ""
    return f"in line{'s' if len(numbers) > 1 else ''} {', '.join(numbers[:_NAMED])}{more}"
