"""Progress and log messages on stderr: a progress bar on a terminal, otherwise a line every few seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]  # reports that a number of further units are finished
_SECONDS_BETWEEN_LINES = 5.0
_LOGGED: set[str] = set()


def log(sentence: str) -> None:
    """Print a message to stderr; results go to stdout, so that the two are never mixed."""
    print(sentence, file=sys.stderr, flush=True)


def log_once(sentence: str) -> None:
    """Print a message to stderr once per process, for a message that holds for many systems."""
    if sentence not in _LOGGED:
        _LOGGED.add(sentence)
        log(sentence)


@contextmanager
def progress(label: str, total: int) -> Iterator[Advance]:
    """Show the progress of some work, e.g. `build hqq4`, that has `total` units of any kind.

    Yields:
        a function to call with the number of units that have just been finished.
    """
    if not sys.stderr.isatty():
        yield _lines(label, total)
        return
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
