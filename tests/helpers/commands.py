"""Commands of the harness in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path


def run_python(*arguments: str, path: tuple[Path, ...], folder: Path) -> str:
    """Run Python with these arguments, and return its stdout.

    Args:
        arguments: of the interpreter, e.g. `-m`, `harness`, `list`.
        path: PYTHONPATH.
        folder: current folder.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
