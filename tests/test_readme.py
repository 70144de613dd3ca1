"""README.md: its examples run as they are printed."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.config.task import load_task

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    """Return the code block that follows the comment `<!-- example: name -->`."""
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found is not None, name
    return found[1]


def test_the_interface_builds_measures_and_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forbids an example that fails, or that gives another size than the table of the same page."""
    monkeypatch.chdir(tmp_path)
    exec(compile(example("interface"), "README.md", "exec"), {})  # noqa: S102 - the example of our own page
    size, *scores = capsys.readouterr().out.splitlines()
    row = re.search(r"`hqq4` \|.*?\| ([\d,]{6,}) \| (PASS|FAIL)", README)
    assert row is not None
    assert size == f"{row[1]} bytes: {row[2]}"
    assert [line.split()[0] for line in scores] == ["BLEU", "chrF"]


def test_the_profile_extends_the_task(tmp_path: Path) -> None:
    """Forbids an example that does not read, or that changes more than it states."""
    path = tmp_path / "my-task.toml"
    path.write_text(example("profile"))
    mine, extended = load_task(str(path)), load_task("iwslt2026-4gb")
    assert (mine.name, mine.roles["finetuned"].checkpoint) == ("my-task", "/data/my-finetuned")
    assert (mine.limit, mine.roles["untuned"]) == (extended.limit, extended.roles["untuned"])


def test_the_system_is_planned_after_installation(tmp_path: Path) -> None:
    """Forbids an example of a system, or of its entry point, that does not work once the package is installed."""
    package, information = tmp_path / "my_package", tmp_path / "my_package-1.0.dist-info"
    package.mkdir()
    (package / "systems.py").write_text(example("system"))
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    groups = tomllib.loads(example("entry points"))["project"]["entry-points"]
    lines = [f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in points.items()) for group, points in groups.items()]
    (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
    shapes = ROOT / "data" / "manifests" / "models" / "qwen2-audio-7b.json"
    done = subprocess.run(
        [sys.executable, "-m", "harness", "plan", "hqq4-head8", "--shapes", shapes, "--workdir", tmp_path / "work"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Hqq(bits=8" in done.stdout
