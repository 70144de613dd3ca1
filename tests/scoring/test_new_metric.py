"""A metric of an installed package, where lower is better: ranked, drawn, compared, without an edit of the harness."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.tiny_task import write_tiny_task

METRIC = """
from harness.scoring.metric import Scale, Score, Scored, Texts, mean_statistics, metric

@metric(Scale("LENGTH", "characters", ".1f", higher_is_better=False), identity=lambda target: "length 1")
def length(texts: Texts) -> Scored:
    rows = tuple(float(abs(len(h) - len(r))) for h, r in zip(texts.hypotheses, texts.references))
    value = sum(rows) / len(rows)
    return Scored(Score("LENGTH", value, "characters", f"LENGTH|1|{texts.made_by}", len(rows)), mean_statistics(rows))
"""
SYSTEMS = ("fp16-finetuned", "hqq4", "hqq3")


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Sequence[object]:
    """Install the package beside the harness; return its folder and the profile of a task that ranks by its metric."""
    folder = tmp_path_factory.mktemp("metric")
    site = folder / "site"
    (site / "toy_metric-1.0.dist-info").mkdir(parents=True)
    (site / "toy_metric.py").write_text(METRIC)
    (site / "toy_metric-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: toy-metric\nVersion: 1.0\n"
    )
    (site / "toy_metric-1.0.dist-info" / "entry_points.txt").write_text("[stcompress.metrics]\ntoy = toy_metric\n")
    profile = write_tiny_task(folder / "task")
    profile.write_text(profile.read_text() + '\n[scoring]\nmetrics = ["LENGTH", "chrF", "TER"]\n')
    return site, profile, folder / "work"


def run(harness: Sequence[object], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with the package installed."""
    site, profile, work = harness
    root = Path(__file__).parents[2]
    paths = os.pathsep.join((str(site), str(root)))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "harness", *arguments, "--task", str(profile), "--workdir", str(work)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=environment)


def test_a_metric_where_lower_is_better(harness: Sequence[object]) -> None:
    """Forbids that a new metric needs an edit anywhere, and that the worst system is ranked first."""
    chosen = [argument for name in SYSTEMS for argument in ("--system", name)]
    stages = ("--stage", "build", "--stage", "evaluate", "--stage", "leaderboard")
    done = run(harness, "run", *stages, *chosen)
    assert done.returncode == 0, done.stderr
    board = Path(str(harness[2])) / "leaderboard"
    section = json.loads((board / "leaderboard.json").read_text())["sections"][0]
    values = [next(s["value"] for s in row["row"]["scores"] if s["metric"] == "LENGTH") for row in section["standings"]]
    assert values == sorted(values)
    assert len(values) == len(SYSTEMS)
    clusters = [
        row["row"]["cluster"]
        for row in json.loads((board / "leaderboard.json").read_text())["sections"][1]["standings"]
    ]
    assert clusters == sorted(clusters)
    page = (board / "leaderboard.md").read_text()
    assert "LENGTH in characters (lower is better); chrF x 100; TER x 100 (lower is better)" in page
    assert "number of systems with a lower LENGTH" in page
    assert (board / "leaderboard.png").read_bytes().startswith(b"\x89PNG")


def test_it_is_compared_and_in_the_ladder(harness: Sequence[object]) -> None:
    """Forbids that comparison and ladder know only metrics of the harness."""
    compared = run(harness, "compare", *SYSTEMS[:2], "tiny-set", "en-de", "--json")
    assert compared.returncode == 0, compared.stderr
    assert [each["metric"] for each in json.loads(compared.stdout)] == ["LENGTH", "chrF", "TER"]
    ladder = run(harness, "ladder")
    assert ladder.returncode == 0, ladder.stderr
    assert "LENGTH (characters), lower is better" in ladder.stdout
