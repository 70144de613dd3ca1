"""`harness import-hypotheses` and `harness rescore`."""

import json
from pathlib import Path

from tests.helpers.command_line import Called, call
from tests.helpers.tiny_task import SENTENCES, write_tiny_task


def harness(folder: Path, *arguments: str) -> Called:
    return call(*arguments, "--task", folder / "tiny.toml", "--workdir", folder / "work", "--json")


def test_imports_and_rescores(tmp_path: Path) -> None:
    """Forbids that an import and a submission of the same lines differ in their scores, and wrong exit codes."""
    write_tiny_task(tmp_path)
    file = tmp_path / "theirs.csv"
    file.write_text("id,text\n" + "".join(f"{i},{de}\n" for i, (_, de, _) in enumerate(SENTENCES)), encoding="utf-8")
    where = ["--test-set", str(tmp_path / "tiny-set.toml"), "--direction", "en-de", "--declared-size", "5 MB"]
    done = harness(tmp_path, "import-hypotheses", "theirs", str(file), *where, "--column", "text")
    assert (done.code, done.err) == (0, "")
    found = {score["metric"]: score["value"] for score in json.loads(done.out)["scores"]}
    assert found["chrF"] > 99.99
    folder = tmp_path / "submissions" / "theirs" / "MODELCOMPRESSION" / "TINY"
    folder.mkdir(parents=True)
    (folder / "en_de.txt").write_text("".join(f"{de}\n" for _, de, _ in SENTENCES), encoding="utf-8")
    done = harness(tmp_path, "rescore", str(tmp_path / "submissions"))
    (row,) = json.loads(done.out)["rows"]
    assert done.code == 0
    assert {score["metric"]: score["value"] for score in row["scores"]} == found
    (folder / "en_de.txt").write_text("eins\nzwei\n")
    assert harness(tmp_path, "rescore", str(tmp_path / "submissions")).code == 1


def test_an_unknown_direction_is_one_sentence(tmp_path: Path) -> None:
    """Forbids importing translations in a direction that the task does not have."""
    write_tiny_task(tmp_path)
    where = ["--test-set", "demo-eval", "--direction", "en-fr", "--declared-size", "5MB"]
    done = harness(tmp_path, "import-hypotheses", "theirs", "nowhere.txt", *where)
    assert done.code == 2
    assert "has no direction 'en-fr'" in done.err
    assert done.err.count("\n") == 1
