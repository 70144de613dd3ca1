"""The command line for other people's translations."""

import json
import subprocess
import sys
from pathlib import Path

from tests.helpers.tiny_task import SENTENCES, write_tiny_task


def harness(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *arguments, "--task", str(folder / "tiny.toml")]
    options = ["--workdir", str(folder / "work"), "--json"]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False)


def test_imports_and_rescores(tmp_path: Path) -> None:
    """Forbids an import that gives another score than the same lines as a submission, and other exit codes."""
    write_tiny_task(tmp_path)
    file = tmp_path / "theirs.csv"
    file.write_text("id,text\n" + "".join(f"{i},{de}\n" for i, (_, de, _) in enumerate(SENTENCES)), encoding="utf-8")
    where = ["--test-set", str(tmp_path / "tiny-set.toml"), "--direction", "en-de", "--declared-size", "5 MB"]
    done = harness(tmp_path, "import-hypotheses", "theirs", str(file), *where, "--column", "text")
    assert (done.returncode, done.stderr) == (0, "")
    found = {score["metric"]: score["value"] for score in json.loads(done.stdout)["scores"]}
    assert found["chrF"] > 99.99
    folder = tmp_path / "submissions" / "theirs" / "MODELCOMPRESSION" / "TINY"
    folder.mkdir(parents=True)
    (folder / "en_de.txt").write_text("".join(f"{de}\n" for _, de, _ in SENTENCES), encoding="utf-8")
    done = harness(tmp_path, "rescore", str(tmp_path / "submissions"))
    (row,) = json.loads(done.stdout)["rows"]
    assert done.returncode == 0
    assert {score["metric"]: score["value"] for score in row["scores"]} == found
    (folder / "en_de.txt").write_text("eins\nzwei\n")
    assert harness(tmp_path, "rescore", str(tmp_path / "submissions")).returncode == 1


def test_an_unknown_direction_is_one_sentence(tmp_path: Path) -> None:
    """Forbids importing translations in a direction that the task does not have."""
    write_tiny_task(tmp_path)
    where = ["--test-set", "demo-eval", "--direction", "en-fr", "--declared-size", "5MB"]
    done = harness(tmp_path, "import-hypotheses", "theirs", "nowhere.txt", *where)
    assert done.returncode == 2
    assert "has no direction 'en-fr'" in done.stderr
    assert done.stderr.count("\n") == 1
