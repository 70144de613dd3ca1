"""Work in several processes, for models so small that a second core helps more there than inside the model."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from harness.errors import UserError

T = TypeVar("T")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def in_processes(work: Callable[[T], None], items: Sequence[T], jobs: int) -> Iterator[tuple[T, UserError | None]]:
    """Do a piece of work for every item, several at a time, each process with its share of the cores.

    Args:
        work: a function of a module, since its name travels to the processes; what it makes, it stores.
        items: plain values.
        jobs: number of processes.

    Yields:
        every item as it is done, with the user's mistake that stopped it, if one did.

    Raises:
        UserError: a process died, of memory for example; what was stored is kept.
    """
    context = multiprocessing.get_context("spawn")  # torch does not survive a fork
    before = {name: os.environ.get(name) for name in _THREADS}
    workers = max(1, min(jobs, len(items)))
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_ctrl_c_to_the_parent)
    try:
        futures = {pool.submit(work, item): item for item in items}
        for future in as_completed(futures):
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                raise UserError("A process died, perhaps for want of memory: run this again with --jobs 1.") from error
            if error is not None and not isinstance(error, UserError):
                raise error
            yield futures[future], error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _leave_ctrl_c_to_the_parent() -> None:
    """Ctrl-C reaches every process of a terminal; one sentence about it is enough."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
