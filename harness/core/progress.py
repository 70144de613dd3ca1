"""Progress on stderr: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
"""Tells that so many more units are done."""

_SECONDS_BETWEEN_LINES = 5.0


def log(sentence: str) -> None:
    """Print one line of talk to stderr; data go to stdout and are never mixed with it."""
    print(sentence, file=sys.stderr, flush=True)


_SAID: set[str] = set()


def log_once(sentence: str) -> None:
    """Print a line of talk to stderr, but not again in this process: what holds for many systems is said once."""
    if sentence not in _SAID:
        _SAID.add(sentence)
        log(sentence)


@contextmanager
def progress(label: str, total: int) -> Iterator[Advance]:
    """Show how far a piece of work is.

    Args:
        label: what is being done, e.g. `build hqq4`.
        total: units of work; what a unit is, the caller knows.

    Yields:
        a function to call with the number of units that have just been done.
    """
    if sys.stderr.isatty():
        with _bar(label, total) as advance:
            yield advance
    else:
        yield _lines(label, total)


@contextmanager
def _bar(label: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda units: bar.advance(task, units)


def _lines(label: str, total: int) -> Advance:
    done = 0
    last = time.monotonic()

    def advance(units: int) -> None:
        nonlocal done, last
        done += units
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            log(f"{label}: {done} of {total}")

    return advance
