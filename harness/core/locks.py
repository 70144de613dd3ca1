"""Locks between processes, by filelock."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import UserError
from harness.core.files import key_of


@contextmanager
def exclusive(path: Path, work: str, folder: Path) -> Iterator[None]:
    """Hold a file or directory alone among all processes; the operating system ends the lock with the process.

    Args:
        path: what is written; it need not exist.
        work: what the holder does, as an error of the others says it, e.g. `is building hqq4`.
        folder: where lock files are: a directory that is renamed when it is complete cannot hold its own.

    Raises:
        UserError: another process holds it, or the lock file cannot be written.
    """
    from filelock import FileLock, Timeout  # imports asyncio, which commands that only read need not wait for

    lock = FileLock(folder / f"{key_of(str(path.absolute()))[:32]}.lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UserError(f"Another process {work}: wait for it, then run this again.") from error
    except OSError as error:
        what = f"Cannot write {error.filename or folder}: {error.strerror or error}"
        raise UserError(f"{what}: name another work directory.") from error
    try:
        yield
    finally:
        lock.release()
