"""The command line starts fast and fails politely."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "transformers", "hqq", "bitsandbytes", "numcodecs", "matplotlib", "sacrebleu", "peft", "numpy"}


def harness(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments], capture_output=True, text=True, check=False, cwd=cwd
    )


def test_list_imports_no_heavy_library() -> None:
    """Forbids that `harness list` takes seconds because something imports torch and its like."""
    code = (
        "import sys, harness.cli.main as m\n"
        "try: m.main()\n"
        "except SystemExit: pass\n"
        "print(*sorted(n for n in sys.modules if '.' not in n), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, "list"], capture_output=True, text=True, check=True)
    assert "hqq4" in done.stdout
    assert not HEAVY & set(done.stderr.split())


def test_list_as_json_is_one_value() -> None:
    """Forbids talk in the data."""
    systems = json.loads(harness("list", "--json").stdout)
    assert {"name", "role", "source", "summary"} == set(systems[0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["plan", "hqq44"], "did you mean"),
        (["plan", "hqq4", "--task", "nowhere"], "No manifest named"),
        (["frobnicate"], "No such command"),
        (["plan", "hqq4", "--limit", "much"], "is no size"),
        (["plan"], "Missing argument"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_code_2(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    """Forbids tracebacks and other exit codes for mistakes."""
    done = harness(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_work_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Forbids a traceback, or a run that fails only at its end, when the work directory is a file."""
    (tmp_path / "file").touch()
    done = harness("plan", "hqq4", "--workdir", str(tmp_path / "file"))
    assert done.returncode == 2
    assert "--workdir" in done.stderr
