"""SIGKILL in the middle of a build: nothing, or a build that resumes to the same bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

KILLS = int(os.environ.get("HARNESS_KILLS", "2"))
"""Kills at random moments; two more come at fixed ones."""


def test_a_killed_build_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    """Forbids lost, mixed or half-written files after `kill -9` at any moment, and a final name on anything partial."""
    command = [sys.executable, "-m", "tests.helpers.kill_build", str(tmp_path), str(KILLS)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # a fork must not inherit a pool of threads
    root = Path(__file__).parents[2]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=environment)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    kills = {row["name"]: row for row in report["kills"]}
    assert len(kills) == KILLS + 2
    assert [name for name, row in kills.items() if not row["same"]] == []

    unfinished = {name: row["left"] for name, row in kills.items() if any(".partial/" in file for file in row["left"])}
    assert all(".partial/" in file for left in unfinished.values() for file in left)
    half_written = [file for file in unfinished["kill_in_write"] if file.endswith(".tmp")]
    assert len(half_written) == 1
    assert 3 < len(unfinished["kill_in_write"]) < report["files"]
    assert len(unfinished["kill_before_publishing"]) == report["files"]
