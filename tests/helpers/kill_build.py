"""Kill builds with SIGKILL, resume them, and print as JSON what came of it.

    python -m tests.helpers.kill_build FOLDER KILLS

One process loads the libraries and the checkpoint; every build runs in a fork of it, so that a kill hits a build at
work and not an import (OMP_NUM_THREADS must be 1: a fork must not inherit a pool of threads). Moments are drawn at
random (seeded), one in each of KILLS equal spans of an undisturbed build's time; two more are fixed: in the middle of
writing a weight file, and before the finished directory gets its name. Every killed build is then run again, without
a kill.
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
from typing import TYPE_CHECKING
from unittest import mock

from harness.compression.build import build
from harness.compression.plan import Plan
from harness.core.files import sha256_of
from harness.core.safetensors_io import data_of
from harness.core.workdir import open_workdir
from harness.models.checkpoint import Checkpoint, open_checkpoint
from tests.helpers.recipes import plan_for
from tests.helpers.tiny_model import TinyModel, write_tiny_model

if TYPE_CHECKING:
    from torch import Tensor

LAYERS = 5
Prepare = Callable[[], None]


class Builds:
    """Builds of one plan in forked processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tiny = TinyModel(layers=LAYERS, audio_layers=LAYERS)
        self.checkpoint: Checkpoint = open_checkpoint(write_tiny_model(folder / "checkpoint", tiny))
        self.plan: Plan = plan_for(self.checkpoint, "mixed")

    def start(self, name: str, prepare: Prepare = lambda: None) -> int:
        """Start a build in the work directory `name`, and return the process id."""
        child = os.fork()
        if child:
            return child
        prepare()
        self.build(name)
        os._exit(0)

    def build(self, name: str) -> None:
        """Build in this process."""
        build(self.checkpoint, self.plan, "untuned", open_workdir(str(self.folder / name)))

    def finish(self, name: str) -> dict[str, str]:
        """Build without a kill, and return the sum of every file of the work directory's artifacts."""
        _, status = os.waitpid(self.start(name), 0)
        if status:
            raise SystemExit(f"the build in {name} failed with status {status}")
        return self.sums(name)

    def sums(self, name: str) -> dict[str, str]:
        """Return the sum of every file under the artifacts of a work directory."""
        artifacts = self.folder / name / "artifacts"
        return {p.relative_to(artifacts).as_posix(): sha256_of(p) for p in artifacts.rglob("*") if p.is_file()}


def kill_in_write() -> None:
    """Let the process kill itself in the middle of a weight file: when it has written 200 parts."""
    calls = itertools.count()

    def write(tensor: "Tensor") -> memoryview:
        if next(calls) == 200:
            os.kill(os.getpid(), signal.SIGKILL)
        return data_of(tensor)

    mock.patch("harness.core.safetensors_io.data_of", write).start()


def kill_before_publishing() -> None:
    """Let the process kill itself when all files are there and the directory has no name yet."""
    mock.patch(
        "harness.compression.build.publish_directory", side_effect=lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    ).start()


def main(folder: Path, kills: int) -> None:
    """Build undisturbed, then kill and resume at every moment."""
    builds = Builds(folder)
    builds.build("loads-the-libraries")
    begun = time.monotonic()
    expected = builds.finish("undisturbed")
    seconds = time.monotonic() - begun

    moments = random.Random(20261121)
    names = []
    for index in range(kills):
        names.append(f"random-{index}")
        child = builds.start(names[-1])
        time.sleep(seconds * (index + moments.random()) / kills)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for prepare in (kill_in_write, kill_before_publishing):
        names.append(prepare.__name__)
        os.waitpid(builds.start(names[-1], prepare), 0)
    rows = [{"name": n, "left": sorted(builds.sums(n)), "same": builds.finish(n) == expected} for n in names]
    print(json.dumps({"seconds": seconds, "files": len(expected), "kills": rows}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
