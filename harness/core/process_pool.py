"""Work in several processes, for models so small that a second core helps more there than inside the model."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from harness.core.errors import UserError

T = TypeVar("T")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def in_processes(
    work: Callable[[T], None], items: Sequence[T], jobs: int, after: Sequence[AbstractSet[int]] | None = None
) -> Iterator[tuple[T, UserError | None]]:
    """Do a piece of work for every item, several at a time, each process with its share of the cores.

    Args:
        work: a function of a module, since its name travels to the processes; what it makes, it stores.
        items: plain values, in the order in which they are begun.
        jobs: number of processes.
        after: for each item, the places of those that must be done before it is begun, well or not; smaller than its
            own.

    Yields:
        every item as it is done, with the user's mistake that stopped it, if one did.

    Raises:
        UserError: a process died, of memory for example; what was stored is kept.
    """
    if not items:
        return
    context = multiprocessing.get_context("spawn")  # torch does not survive a fork
    before = {name: os.environ.get(name) for name in _THREADS}
    workers = min(jobs, len(items))
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_the_parent)
    try:
        for place, future in _finished(pool, workers, work, items, after or [set()] * len(items)):
            error = future.exception()
            if error is not None and not isinstance(error, UserError):
                raise error
            yield items[place], error
    except BrokenProcessPool as error:
        raise UserError("A process died, perhaps for want of memory: run this again with --jobs 1.") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _finished(
    pool: ProcessPoolExecutor,
    workers: int,
    work: Callable[[T], None],
    items: Sequence[T],
    after: Sequence[AbstractSet[int]],
) -> Iterator[tuple[int, "Future[None]"]]:
    """Hand the items over as they become ready, and yield each with its place when it is finished."""
    waiting = {place: set(lacking) for place, lacking in enumerate(after)}
    running: dict[Future[None], int] = {}
    while waiting or running:
        # No more is handed over than is worked on, so that what becomes ready is begun in its place.
        for place in [place for place, lacking in waiting.items() if not lacking][: workers - len(running)]:
            del waiting[place]
            running[pool.submit(work, items[place])] = place
        if not running:
            raise ValueError(f"these items wait for each other: {sorted(waiting)}")
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            place = running.pop(future)
            for lacking in waiting.values():
                lacking.discard(place)
            yield place, future


def _follow_the_parent() -> None:
    """Leave Ctrl-C to the parent, so that one sentence is said about it, and do not outlive it.

    A process that works on after its parent was killed would write into the same folders as the run that resumes.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
