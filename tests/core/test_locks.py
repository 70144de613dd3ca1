"""Locks: one writer at a time, among processes, and none left behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import UserError
from harness.core.locks import exclusive

HOLD = """
import sys, pathlib
from harness.core.locks import exclusive
with exclusive(pathlib.Path(sys.argv[1]), "is testing", pathlib.Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    """Forbids two writers of one file, and a lock that outlives a killed process."""
    target, folder = tmp_path / "result", tmp_path / "locks"
    command = [sys.executable, "-c", HOLD, str(target), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        refused = pytest.raises(UserError, match="Another process is testing: wait for it")
        with refused, exclusive(target, "is testing", folder):
            pytest.fail("both hold it")
        with exclusive(tmp_path / "other", "is testing", folder):
            pass
        holder.kill()
        holder.wait()
    with exclusive(target, "is testing", folder):
        pass


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """Forbids a traceback where the work directory is not a folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"), exclusive(tmp_path / "x", "is testing", tmp_path / "file"):
        pytest.fail("there is no lock")
