"""Pieces of work for other processes; as a program, one that waits in two of them until it is killed.

python -m tests.helpers.parallel_work FOLDER
"""

import os
import sys
import time
from pathlib import Path

from harness.core.errors import UserError
from harness.core.process_pool import in_processes


def note(path: Path) -> None:
    """Write how many threads torch would take, and which files of the folder are there already."""
    before = sorted(each.name for each in path.parent.iterdir())
    time.sleep(0.2)
    if path.name == "dying":
        os._exit(1)
    if path.name == "mistaken":
        path.write_text("failed")
        raise UserError("This one cannot be done: leave it out.")
    path.write_text(" ".join([os.environ["OMP_NUM_THREADS"], *before]))


def wait_long(path: Path) -> None:
    """Write the process id, and wait for a minute."""
    path.write_text(str(os.getpid()))
    time.sleep(60)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    list(in_processes(wait_long, [folder / "one", folder / "other"], 2))
