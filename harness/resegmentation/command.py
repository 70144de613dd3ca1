"""Finding and running the command of a resegmenter."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness.core.errors import UserError

_TIMEOUT = 3600.0
"""Seconds. The alignment is quadratic in a talk's length; an hour of speech takes a minute."""


def find_command(name: str, variable: str, advice: str) -> str:
    """Return the path of a command: as an environment variable names it, beside this Python, or on the PATH.

    Raises:
        UserError: it is not found.
    """
    named = os.environ.get(variable)
    beside = str(Path(sys.executable).parent)
    found = shutil.which(named) if named else shutil.which(name, path=beside) or shutil.which(name)
    if found is None:
        wrong = f"{variable} names {named}, which is not a command"
        missing = wrong if named else f"The command {name} is not installed"
        raise UserError(f"{missing}: {advice}, or set {variable} to its path.")
    return found


def run_command(command: list[str], folder: Path) -> str:
    """Run a command in a folder and return what it printed to stdout.

    Raises:
        UserError: it cannot be started, fails, or takes more than an hour.
    """
    environment = {**os.environ, "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8", "HF_HUB_OFFLINE": "1"}
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=_TIMEOUT, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{name} did not run ({error}): check that it is the right program.") from error
    if done.returncode != 0:
        output = " ".join((done.stderr or done.stdout).split())[-300:]
        raise UserError(f"{name} failed with exit code {done.returncode}: {output or 'no output'}.")
    return done.stdout


def write_lines(path: Path, lines: list[str]) -> Path:
    """Write lines as UTF-8, each ended by a line feed, and return the path."""
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


def read_lines(path: Path, expected: int) -> list[str]:
    """Return exactly `expected` lines of a tool's output; empty lines after them are ignored.

    Raises:
        UserError: the file is missing or has another number of lines.
    """
    try:
        lines = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    except OSError as error:
        wrong = f"The resegmenter wrote no {path.name} ({error.strerror})"
        raise UserError(f"{wrong}: check that it is the right program.") from error
    kept = lines[:expected] if not any(line.strip() for line in lines[expected:]) else lines
    if len(kept) != expected:
        wrong = f"The resegmenter wrote {len(lines)} lines for {expected} references"
        raise UserError(f"{wrong}: install a supported version.")
    return kept
