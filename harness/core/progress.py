"""Progress and log messages on stderr: a progress bar on a terminal, otherwise a line every few seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
"""Reports that a number of further units are finished."""

_SECONDS_BETWEEN_LINES = 5.0


def log(sentence: str) -> None:
    """Print a message to stderr; results go to stdout, so that the two are never mixed."""
    print(sentence, file=sys.stderr, flush=True)


_LOGGED: set[str] = set()


def log_once(sentence: str) -> None:
    """Print a message to stderr once per process, for a message that holds for many systems."""
    if sentence not in _LOGGED:
        _LOGGED.add(sentence)
        log(sentence)


@contextmanager
def progress(label: str, total: int) -> Iterator[Advance]:
    """Show the progress of some work.

    Args:
        label: what is being done, e.g. `build hqq4`.
        total: number of units of work, in any unit.

    Yields:
        a function to call with the number of units that have just been finished.
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
