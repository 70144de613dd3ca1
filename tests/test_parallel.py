"""harness.parallel: work in several processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from harness.parallel import in_processes
from tests.helpers.parallel_work import note


def test_what_waits_is_begun_after_what_it_waits_for(tmp_path: Path) -> None:
    """Forbids a piece of work that begins too early, is lost, or is held up by another one's failure."""
    names = ["mistaken", "free", "after both", "last"]
    done = dict(in_processes(note, [tmp_path / name for name in names], 2, [set(), set(), {0, 1}, {2}]))
    assert [path.name for path, error in done.items() if error] == ["mistaken"]
    assert len(done) == len(names)
    assert {"free", "mistaken"} <= set((tmp_path / "after both").read_text().split())
    assert "both" in (tmp_path / "last").read_text().split()


def test_the_cores_are_shared_out(tmp_path: Path) -> None:
    """Forbids processes that take all cores each, which makes all of them slow."""
    list(in_processes(note, [tmp_path / "one", tmp_path / "other"], 2))
    threads = int((tmp_path / "one").read_text().split()[0])
    assert threads == max(1, len(os.sched_getaffinity(0)) // 2)


def test_nobody_works_on_after_a_kill(tmp_path: Path) -> None:
    """Forbids that processes of a killed run write into the folders of the run that resumes."""
    parent = subprocess.Popen([sys.executable, "-m", "tests.helpers.parallel_work", str(tmp_path)])
    notes = [tmp_path / "one", tmp_path / "other"]
    _wait_until(lambda: all(path.is_file() and path.read_text() for path in notes))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _wait_until(lambda: not any(_lives(int(path.read_text())) for path in notes))


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
