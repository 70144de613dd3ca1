"""SIGKILL in the middle of a generation: finished batches stay, and the resumed run gives the same hypotheses."""

import json
import os
import subprocess
import sys
from pathlib import Path

KILLS = int(os.environ.get("HARNESS_KILLS", "2"))
"""Kills at random moments; two more come at fixed ones."""


def test_a_killed_generation_resumes_to_the_same_translations(tmp_path: Path) -> None:
    """Forbids a segment lost, translated twice or differently after `kill -9` at any moment."""
    command = [sys.executable, "-m", "tests.helpers.kill_generate", str(tmp_path), str(KILLS)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # a fork must not inherit a pool of threads
    root = Path(__file__).parents[2]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=environment)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["positions"] == list(range(12))
    kills = {row["name"]: row for row in report["kills"]}
    assert len(kills) == KILLS + 2
    assert [name for name, row in kills.items() if not row["same"]] == []
    for row in kills.values():
        assert row["decoded"] == (0 if row["whole"] else report["batches"] - row["left"])
    assert (kills["kill_in_write"]["left"], kills["kill_in_write"]["whole"]) == (2, False)
    assert (kills["kill_before_publishing"]["left"], kills["kill_before_publishing"]["decoded"]) == (6, 0)
