"""Kill generations with SIGKILL, resume them, and print the results as JSON.

    python -m tests.helpers.kill_generate FOLDER KILLS

One process loads the libraries and the model; every generation runs in a fork of it, so that a signal arrives during
a generation and not during an import (OMP_NUM_THREADS must be 1: a fork must not inherit a thread pool). Times are
drawn at random (seeded), one in each of KILLS equal parts of an undisturbed generation's duration; two more are fixed:
while a batch is written, and before the finished folder is renamed. Every killed generation is then run again.
"""

import itertools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from harness.core.workdir import WorkDir, open_workdir
from harness.inference import decoding, generate
from tests.helpers.tiny_engine import load_engine, request_for, tiny_artifact, tiny_test_set

Prepare = Callable[[], None]


class Runs:
    """Generations of one request in forked processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        artifact = tiny_artifact(folder)
        self.request = request_for(artifact, tiny_test_set(folder))
        self.engine = load_engine(artifact)

    def workdir(self, name: str) -> WorkDir:
        """Return the work directory of one generation."""
        return open_workdir(str(self.folder / name))

    def start(self, name: str, prepare: Prepare = lambda: None) -> int:
        """Start a generation in the work directory `name`, and return the process id."""
        child = os.fork()
        if child:
            return child
        prepare()
        generate.generate(self.request, self.workdir(name), lambda: self.engine)
        os._exit(0)

    def finish(self, name: str) -> tuple[list[tuple[int, str, int]], int]:
        """Generate without a kill; return position, text and tokens in order, and the number of decoded batches."""
        with mock.patch("harness.inference.generate.decode", wraps=decoding.decode) as decode:
            made = generate.generate(self.request, self.workdir(name), lambda: self.engine)
        return [(row.index, row.text, row.tokens) for row in made.hypotheses], decode.call_count

    def batches(self, name: str) -> int:
        """Return the number of finished batches in a work directory."""
        return len(list(self.workdir(name).hypotheses.glob("*.partial/batches/*.jsonl")))


def kill_in_write() -> None:
    """Kill this process when the third batch is written and not yet renamed."""
    real, calls = os.fsync, itertools.count()

    def fsync(descriptor: int) -> None:
        if next(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        real(descriptor)

    mock.patch("os.fsync", fsync).start()


def kill_before_publishing() -> None:
    """Kill this process when all files are written and the folder is not yet renamed."""

    def die(_partial: Path, _final: Path) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    mock.patch("harness.inference.generation_store.publish_directory", die).start()


def main(folder: Path, kills: int) -> None:
    """Generate undisturbed, then kill and resume at every time."""
    runs = Runs(folder)
    runs.finish("warms-up")
    begun = time.monotonic()
    expected, batches = runs.finish("undisturbed")
    seconds = time.monotonic() - begun

    moments = random.Random(20261121)
    names = []
    for index in range(kills):
        names.append(f"random-{index}")
        child = runs.start(names[-1])
        time.sleep(seconds * (index + moments.random()) / kills)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for prepare in (kill_in_write, kill_before_publishing):
        names.append(prepare.__name__)
        os.waitpid(runs.start(names[-1], prepare), 0)
    rows = []
    for name in names:
        left = runs.batches(name)
        whole = any(path.suffix != ".partial" for path in runs.workdir(name).hypotheses.glob("*"))
        made, decoded = runs.finish(name)
        rows.append({"name": name, "left": left, "whole": whole, "decoded": decoded, "same": made == expected})
    positions = [position for position, _, _ in expected]
    print(json.dumps({"seconds": seconds, "batches": batches, "positions": positions, "kills": rows}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
