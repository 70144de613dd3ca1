"""Commands of installed packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import COMMANDS

COMMAND = """
import click

@click.command()
@click.argument("name")
def greet(name: str) -> None:
    "Greet NAME."
    print("hello", name)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder with the distribution `toy-commands`, which has the commands `greet` and `broken`."""
    (tmp_path / "toy_commands.py").write_text(COMMAND)
    information = tmp_path / "toy_commands-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-commands\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[stcompress.commands]\ngreet = toy_commands:greet\nbroken = toy_commands:no_such_attribute\n"
    )
    return tmp_path


def harness(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_an_installed_package_adds_a_command(site: Path) -> None:
    """Forbids that a new command needs an edit of the harness."""
    assert harness(site, "greet", "you").stdout == "hello you\n"


def test_the_help_shows_every_command_once(site: Path) -> None:
    """Forbids a command that the help omits or shows twice, those of installed packages included."""
    points = site / "toy_commands-1.0.dist-info" / "entry_points.txt"
    points.write_text("[stcompress.commands]\ngreet = toy_commands:greet\n")
    text = harness(site, "--help").stdout
    shown = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and line[2:3].isalpha()]
    assert sorted(shown[shown.index("run") :]) == sorted([*COMMANDS.names, "greet"])
    assert "Installed packages:\n  greet  Greet NAME." in text


def test_a_broken_command_does_not_affect_the_others(site: Path) -> None:
    """Forbids a traceback for a package's command that cannot be imported, and that it stops other commands."""
    done = harness(site, "broken")
    assert done.returncode == 2
    assert done.stderr.startswith("harness: The installed package toy-commands cannot be loaded for its command")
    assert done.stderr.count("\n") == 1
    assert harness(site, "list").returncode == 0
