"""The main job: build every system, evaluate, rank, pack; every stage reads what the one before left on disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from harness.artifact import Artifact
from harness.assemble import build_system, find_artifact
from harness.board import assemble_board
from harness.engine import lazily
from harness.errors import UserError
from harness.evaluation import Bench, Evaluation, evaluate
from harness.importers import load_test_set
from harness.leaderboard.rows import Leaderboard
from harness.progress import progress, say
from harness.registry import System
from harness.size import SizeReport, measure, verdict
from harness.task import Task
from harness.testset import TestSet
from harness.workdir import WorkDir


class Stage(StrEnum):
    """The parts of the main job, in order."""

    BUILD = "build"
    EVALUATE = "evaluate"
    LEADERBOARD = "leaderboard"
    PACKAGE = "package"


@dataclass(frozen=True)
class Job:
    """What the main job is about.

    Attributes:
        task: the profile.
        systems: which systems; all registered ones by default.
        workdir: where results go.
        device: torch's name of the device that models run on.
    """

    task: Task
    systems: tuple[System, ...]
    workdir: WorkDir
    device: str = "cpu"


class Failure(msgspec.Struct, frozen=True):
    """A system that a stage could not finish, with its reason; the others go on."""

    system: str
    reason: str


class Built(msgspec.Struct, frozen=True):
    """What the build stage gave: the weight of each system, and what failed."""

    sizes: tuple[SizeReport, ...]
    fits: tuple[bool, ...]
    failures: tuple[Failure, ...]


class Evaluated(msgspec.Struct, frozen=True):
    """What the evaluation stage gave."""

    evaluations: tuple[Evaluation, ...]
    failures: tuple[Failure, ...]


def build_stage(job: Job) -> Built:
    """Build every system of the job and weigh it; a system that cannot be built is recorded and the rest goes on."""
    sizes: list[SizeReport] = []
    failures = _each(job, "build", lambda system: sizes.append(_weigh(job, system)))
    return Built(tuple(sizes), tuple(verdict(size, job.task.limit) for size in sizes), failures)


def _weigh(job: Job, system: System) -> SizeReport:
    return measure(build_system(job.task, system, job.workdir))


def evaluate_stage(job: Job) -> Evaluated:
    """Let every built artifact translate every test set of its directions, and score it."""
    names = {name for sets in job.task.test_sets.values() for name in sets}
    test_sets = {name: load_test_set(name, job.workdir) for name in sorted(names)}
    found: list[Evaluation] = []
    failures = _each(job, "evaluate", lambda system: found.extend(_evaluate(job, system, test_sets)))
    return Evaluated(tuple(found), failures)


def _evaluate(job: Job, system: System, test_sets: dict[str, TestSet]) -> list[Evaluation]:
    artifact = find_artifact(job.task, system.name, job.workdir)
    bench = Bench(job.task, artifact, lazily(artifact, job.device), job.device, job.workdir)
    return [evaluate(bench, test_sets[name], pair) for pair in bench.pairs for name in job.task.test_sets[pair]]


def _each(job: Job, verb: str, work: Callable[[System], object]) -> tuple[Failure, ...]:
    """Do a verb for every system; a user's mistake stops that system alone and is recorded with its reason."""
    failures = []
    with progress(f"{verb} systems", len(job.systems)) as advance:
        for system in job.systems:
            try:
                work(system)
            except UserError as error:
                failures.append(Failure(system.name, str(error)))
                say(f"{verb} {system.name}: {error}")
            advance(1)
    return tuple(failures)


def leaderboard_stage(job: Job) -> Leaderboard:
    """Rank the systems whose artifacts are there and evaluated.

    Raises:
        UserError: none is.
    """
    return assemble_board(job.task, _present(job), job.workdir)


def _present(job: Job) -> Sequence[Artifact]:
    artifacts = []
    for system in job.systems:
        try:
            artifacts.append(find_artifact(job.task, system.name, job.workdir))
        except UserError as error:
            say(f"left out: {error}")
    return artifacts
