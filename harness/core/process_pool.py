"""Work in several processes: a small model gains more from a second process than from a second thread."""

import heapq
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from graphlib import TopologicalSorter
from typing import TypeVar

from harness.core.errors import UserError

T = TypeVar("T")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def in_processes(
    work: Callable[[T], None], items: Sequence[T], jobs: int, after: Sequence[AbstractSet[int]] | None = None
) -> Iterator[tuple[T, UserError | None]]:
    """Call a function for every item, in several processes that share the cores.

    Args:
        work: a function of a module, since the processes import it by name; it stores its result.
        items: values that can be pickled, in the order in which they are begun.
        jobs: number of processes.
        after: for each item, the places of the items that must have finished or failed before it is begun.

    Yields:
        each item when it is finished, with the `UserError` that stopped it, or None.

    Raises:
        UserError: a process died, for example for lack of memory; stored results are kept.
        graphlib.CycleError: items wait for each other.
    """
    if not items:
        return
    context = multiprocessing.get_context("spawn")  # torch's thread pools and CUDA do not work after a fork
    before = {name: os.environ.get(name) for name in _THREADS}
    workers = min(jobs, len(items))
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_the_parent_process)
    try:
        for place, future in _finished(pool, workers, work, items, after or [set()] * len(items)):
            error = future.exception()
            if error is not None and not isinstance(error, UserError):
                raise error
            yield items[place], error
    except BrokenProcessPool as error:
        raise UserError("A process died, perhaps for lack of memory: run this again with --jobs 1.") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _finished(
    pool: ProcessPoolExecutor, workers: int, work: Callable[[T], None], items: Sequence[T],
    after: Sequence[AbstractSet[int]],
) -> Iterator[tuple[int, "Future[None]"]]:  # fmt: skip
    """Submit the items as they become ready, and yield each with its place when it is finished."""
    sorter = TopologicalSorter(dict(enumerate(after)))
    sorter.prepare()
    ready: list[int] = []
    running: dict[Future[None], int] = {}
    while sorter.is_active():
        for place in sorter.get_ready():
            heapq.heappush(ready, place)
        # No more items are submitted than there are processes, so that one that becomes ready precedes later ones.
        while ready and len(running) < workers:
            place = heapq.heappop(ready)
            running[pool.submit(work, items[place])] = place
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            place = running.pop(future)
            sorter.done(place)
            yield place, future


def _end_with_the_parent_process() -> None:
    """Let Ctrl-C end this process without a traceback, since the parent reports it, and end when the parent ends.

    A process that went on after its parent was killed would write into the same folders as the run that resumes.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_exit_after_the_parent, daemon=True).start()


def _exit_after_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
