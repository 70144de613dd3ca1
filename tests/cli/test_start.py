"""The command line starts fast, and a user's mistake is one sentence."""

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


def modules_after(code: str, *arguments: str) -> set[str]:
    """Return the names of the top-level modules that a new process has imported after some code."""
    code += "\nimport sys\nprint(*sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_list_imports_no_heavy_library() -> None:
    """Forbids that `harness list` takes seconds since something imports torch or another heavy library."""
    loaded = modules_after("import harness.cli.main as m\ntry: m.main()\nexcept SystemExit: pass", "list")
    assert "systems" in loaded
    assert not HEAVY & loaded


def test_no_command_imports_a_heavy_library_before_it_runs() -> None:
    """Forbids that a command's help, or a mistake in its arguments, takes seconds."""
    code = "from harness.cli.main import COMMANDS\nfor name in COMMANDS.names: COMMANDS.load(name, object)"
    loaded = modules_after(code)
    assert "msgspec" in loaded
    assert not HEAVY & loaded


def test_list_as_json_is_one_value() -> None:
    """Forbids log messages on stdout."""
    systems = json.loads(harness("list", "--json").stdout)
    assert {"name", "role", "source", "summary"} == set(systems[0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["plan", "hqq44"], "did you mean"),
        (["plan", "hqq4", "--task", "nowhere"], "No manifest named"),
        (["biuld"], "No command is named 'biuld': did you mean build?"),
        (["plan", "hqq4", "--limit", "much"], "is not a valid size"),
        (["plan"], "Missing argument"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_code_2(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    """Forbids a traceback or another exit code for a user's mistake."""
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
