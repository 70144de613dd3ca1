"""harness.core.process_pool: work in several processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from graphlib import CycleError
from pathlib import Path

import pytest

from harness.core.errors import UserError
from harness.core.process_pool import in_processes
from tests.helpers.parallel_work import note


def test_items_are_begun_after_those_that_they_wait_for(tmp_path: Path) -> None:
    """Forbids that an item is begun too early, is lost, or is not begun since another one failed."""
    names = ["mistaken", "free", "after both", "last"]
    done = dict(in_processes(note, [tmp_path / name for name in names], 2, [set(), set(), {0, 1}, {2}]))
    assert [path.name for path, error in done.items() if error] == ["mistaken"]
    assert len(done) == len(names)
    assert {"free", "mistaken"} <= set((tmp_path / "after both").read_text().split())
    assert "both" in (tmp_path / "last").read_text().split()


def test_the_processes_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that each process uses all cores, which makes all of them slow, or that cores are idle."""
    monkeypatch.setenv("OMP_NUM_THREADS", "99")
    cores = len(os.sched_getaffinity(0))
    for names in (["alone"], ["one", "other"]):
        list(in_processes(note, [tmp_path / name for name in names], 2))
        assert int((tmp_path / names[0]).read_text().split()[0]) == max(1, cores // len(names))
    assert os.environ["OMP_NUM_THREADS"] == "99"


def test_a_process_that_dies_is_one_sentence(tmp_path: Path) -> None:
    """Forbids a traceback when a process dies, also while the caller handles a finished item."""
    items = [tmp_path / name for name in ("well", "dying", "third", "fourth")]
    with pytest.raises(UserError, match="--jobs 1"):
        _consume_slowly(in_processes(note, items, 2))


def test_a_cycle_is_an_error(tmp_path: Path) -> None:
    """Forbids that the call waits for ever for items that wait for each other."""
    with pytest.raises(CycleError, match="nodes are in a cycle"):
        list(in_processes(note, [tmp_path / "one", tmp_path / "other"], 2, [{1}, {0}]))


def test_no_process_outlives_a_killed_parent(tmp_path: Path) -> None:
    """Forbids that processes of a killed run write into the folders of the run that resumes."""
    parent = subprocess.Popen([sys.executable, "-m", "tests.helpers.parallel_work", str(tmp_path)])
    notes = [tmp_path / "one", tmp_path / "other"]
    _wait_until(lambda: all(path.is_file() and path.read_text() for path in notes))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _wait_until(lambda: not any(_lives(int(path.read_text())) for path in notes))


def _consume_slowly(done: Iterator[object]) -> None:
    for _ in done:
        time.sleep(1)


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
