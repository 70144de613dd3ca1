"""SIGKILL in the middle of segmenting, translating, re-segmenting and judging: the whole is the same in the end."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers.kill_evaluate import MOMENTS

KILLS = int(os.environ.get("HARNESS_KILLS", "0"))
"""Kills at random moments; more come at fixed ones: all of them where random ones are asked for, else some."""
SOME = ("the second recording is classified", "the resegmenter runs", "COMET scores")


@pytest.mark.skipif(find_spec("comet") is None or find_spec("mweralign") is None, reason="needs both extras")
def test_a_killed_evaluation_resumes_to_the_same_scores(tmp_path: Path) -> None:
    """Forbids a segment, a word or a score that is lost or another after `kill -9` at any moment of an evaluation."""
    moments = tuple(MOMENTS) if KILLS else SOME
    command = [sys.executable, "-m", "tests.helpers.kill_evaluate", str(tmp_path), str(KILLS), *moments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # a fork must not inherit a pool of threads
    root = Path(__file__).parents[2]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=environment)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert all(report["died"][name] for name in moments)
    assert {name: keys for name, keys in report["different"].items() if keys} == {}
    assert len(report["different"]) == KILLS + len(moments)
    for folder in ("segmentations", "resegmented", "scores"):
        assert any(name.startswith(folder) for name in report["compared"])
