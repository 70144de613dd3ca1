"""Kill evaluations with SIGKILL, resume them, and print as JSON what came of it.

    python -m tests.helpers.kill_evaluate FOLDER KILLS [MOMENT ...]

What is killed is the whole stage: SHAS classifies the frames of a set's recordings, the model translates, mweralign
re-segments, BLEU, chrF and COMET score, the references are predicted and speed is measured. One process loads the
libraries; every evaluation runs in a fork of it (OMP_NUM_THREADS must be 1: a fork must not inherit a pool of threads).
Moments are drawn at random (seeded), one in each of KILLS equal spans of an undisturbed evaluation's time; those with
a name are fixed, in the middle of each kind of work. Every killed evaluation is then run again.
"""

import itertools
import json
import os
import pkgutil
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import transformers.models.qwen2_audio.modeling_qwen2_audio  # noqa: F401 - a fork must not import for seconds

from harness.compression.registry import get_system
from harness.config.task import load_task
from harness.core.files import sha256_of
from harness.core.workdir import WorkDir, open_workdir
from harness.pipeline.main_job import Job, build_stage, evaluate_stage
from tests.helpers.tiny_blind import write_blind_task

SYSTEMS = ("fp16-finetuned", "hqq4")
COMPARED = ("segmentations", "resegmented", "scores")
"""Folders whose files must be equal to the byte; the others hold times."""
MOMENTS: dict[str, tuple[str, int]] = {
    "the second recording is classified": (
        "harness.segmentation.shas.frame_classifier.ShasFrameClassifier.classify",
        1,
    ),
    "a segmentation is stored": ("store:segmentation", 0),
    "the third batch is translated": ("harness.inference.generate.decode", 2),
    "a talk was re-segmented and is not stored": ("store:resegmentation", 0),
    "the resegmenter runs": ("harness.resegmentation.mweralign.run_command", 0),
    "COMET scores": ("harness.scoring.comet_process.CometProcess.score", 0),
    "a score is stored": ("store:score", 1),
    "the references are predicted": ("harness.evaluation.cross_entropy.sentence_nats", 1),
    "an evaluation is stored": ("store:evaluation", 0),
}
"""Names of functions, or kinds of stored results, and the number of the call that does not return, from 0."""


class Evaluations:
    """Evaluations of two systems on a task with a set that is not segmented, in forked processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.task = load_task(str(write_blind_task(folder)))
        self.systems = tuple(map(get_system, SYSTEMS))
        assert not build_stage(self._job("built")).failures

    def _job(self, name: str) -> Job:
        workdir = open_workdir(str(self.folder / name))
        artifacts = self.folder / "built" / "artifacts"
        if name != "built" and not workdir.artifacts.exists():
            workdir.artifacts.symlink_to(artifacts, target_is_directory=True)
        return Job(self.task, self.systems, workdir)

    def start(self, name: str, prepare: Callable[[], None] = lambda: None) -> int:
        """Start an evaluation in the work directory `name`, and return the process id."""
        child = os.fork()
        if child:
            return child
        prepare()
        stopped = evaluate_stage(self._job(name)).failures
        sys.stderr.write("".join(f"{failure}\n" for failure in stopped))
        sys.stderr.flush()
        os._exit(1 if stopped else 0)

    def finish(self, name: str) -> dict[str, object]:
        """Evaluate without a kill; return what is compared, by the name of its file."""
        _, status = os.waitpid(self.start(name), 0)
        if status:
            raise SystemExit(f"the evaluation in {name} failed with status {status}")
        return {**self._sums(name), **self._texts(name), **self._scores(name)}

    def _workdir(self, name: str) -> WorkDir:
        return WorkDir(self.folder / name)

    def _sums(self, name: str) -> dict[str, object]:
        root = self._workdir(name).root
        files = [path for folder in COMPARED for path in sorted((root / folder).rglob("*")) if path.is_file()]
        return {path.relative_to(root).as_posix(): sha256_of(path) for path in files}

    def _texts(self, name: str) -> dict[str, object]:
        found: dict[str, object] = {}
        for path in sorted(self._workdir(name).hypotheses.rglob("hypotheses.jsonl")):
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            found[path.parent.name] = [(row["index"], row["text"], row["tokens"], row["stop"]) for row in rows]
        return found

    def _scores(self, name: str) -> dict[str, object]:
        found: dict[str, object] = {}
        for path in sorted(self._workdir(name).evaluations.glob("*.json")):
            evaluation = json.loads(path.read_text(encoding="utf-8"))["value"]
            found[path.name] = [evaluation["scored"], evaluation["flags"]]
        return found


def kill_at(target: str, call: int) -> Callable[[], None]:
    """Return what lets a process kill itself when a function is called for the n-th time, counted from 0.

    A target `store:KIND` is the writing of a stored result of that kind.
    """
    kind = target.partition(":")[2]
    target = "harness.core.store.StoreEntry.write" if kind else target

    def prepare() -> None:
        function, calls = pkgutil.resolve_name(target), itertools.count()

        def die_in_time(*arguments: Any, **named: object) -> object:
            if (not kind or arguments[0].store.kind == kind) and next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        mock.patch(target, die_in_time).start()

    return prepare


def main(folder: Path, kills: int, fixed: Sequence[str]) -> None:
    """Evaluate undisturbed, then kill and resume at every moment."""
    evaluations = Evaluations(folder)
    begun = time.monotonic()
    expected = evaluations.finish("undisturbed")
    seconds = time.monotonic() - begun
    moments = random.Random(20261121)
    names = []
    for index in range(kills):
        names.append(f"random-{index}")
        child = evaluations.start(names[-1])
        time.sleep(seconds * (index + moments.random()) / kills)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    died = {}
    for name in fixed:
        names.append(name)
        _, status = os.waitpid(evaluations.start(name, kill_at(*MOMENTS[name])), 0)
        died[name] = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    rows = {}
    for name in names:
        made = evaluations.finish(name)
        rows[name] = sorted(key for key in made.keys() | expected.keys() if made.get(key) != expected.get(key))
    print(json.dumps({"seconds": seconds, "compared": sorted(expected), "died": died, "different": rows}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
