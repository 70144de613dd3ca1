"""`harness segment`."""

import json
from pathlib import Path

import yaml
from click.testing import CliRunner

from harness.cli.segment import segment_command
from tests.helpers.tiny_task import write_tiny_task


def run(tmp_path: Path, *arguments: str) -> str:
    profile = write_tiny_task(tmp_path)
    common = ["--task", str(profile), "--workdir", str(tmp_path / "work")]
    done = CliRunner().invoke(segment_command, [str(tmp_path / "tiny-set.toml"), *arguments, *common])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_stdout_is_the_yaml(tmp_path: Path) -> None:
    """Forbids log messages on stdout, and a written file that differs from stdout."""
    out = tmp_path / "segments.yaml"
    printed = run(tmp_path, "--by", "fixed", "--out", str(out))
    assert printed == out.read_text()
    assert [row["wav"] for row in yaml.safe_load(printed)] == ["2026.tiny-talks.7.wav"]
    assert yaml.safe_load(printed)[0]["duration"] == 4.0


def test_json_holds_the_coverage_report(tmp_path: Path) -> None:
    """Forbids a JSON value without the coverage report, and another method than the task's where none is named."""
    report = json.loads(run(tmp_path, "--json"))
    assert report["segmentation"]["method"] == "gold"
    assert report["coverage"]["segments"] == report["coverage"]["sentences"] == 3
    assert report["coverage"]["dropped_seconds"] == 0
    assert Path(report["file"]).is_file()
