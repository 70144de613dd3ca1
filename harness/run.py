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
from harness.evaluation import Bench, Evaluation, evaluate, evaluation_path, prepare
from harness.importers import load_test_set
from harness.leaderboard.rows import Leaderboard
from harness.parallel import in_processes
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
        jobs: processes that translate at a time.
    """

    task: Task
    systems: tuple[System, ...]
    workdir: WorkDir
    device: str = "cpu"
    jobs: int = 1


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
    return measure(build_system(job.task, system, job.workdir, job.device))


def evaluate_stage(job: Job) -> Evaluated:
    """Let every built artifact translate every test set of its directions, and score it.

    With several jobs, systems translate side by side first; speed is measured after that, by one at a time.
    """
    if job.jobs > 1:
        _translate_side_by_side(job)
    test_sets = _test_sets(job)
    found: list[Evaluation] = []
    failures = _each(job, "evaluate", lambda system: found.extend(_evaluate(job, system, test_sets)))
    return Evaluated(tuple(found), failures)


def _test_sets(job: Job) -> dict[str, TestSet]:
    names = {name for sets in job.task.test_sets.values() for name in sets}
    return {name: load_test_set(name, job.workdir) for name in sorted(names)}


def _translate_side_by_side(job: Job) -> None:
    """Fill the stores; what stops a system is said when its evaluation is collected."""
    _test_sets(job)  # imported once, before several processes want it
    waiting = [
        (job.task, system.name, job.workdir, job.device) for system in job.systems if not _is_evaluated(job, system)
    ]
    with progress("translate", len(waiting)) as advance:
        for _ in in_processes(_translate, waiting, job.jobs):
            advance(1)


def _is_evaluated(job: Job, system: System) -> bool:
    try:
        artifact = find_artifact(job.task, system.name, job.workdir)
    except UserError:
        return True  # nothing to translate with; the reason is given when evaluations are collected
    bench = Bench(job.task, artifact, lazily(artifact, job.device), job.device, job.workdir)
    return all(
        evaluation_path(job.workdir, artifact, name, pair).is_file()
        for pair in bench.pairs
        for name in job.task.test_sets[pair]
    )


def _translate(what: tuple[Task, str, WorkDir, str]) -> None:
    """Translate and measure everything of one system but its speed; runs in a process of its own."""
    task, name, workdir, device = what
    artifact = find_artifact(task, name, workdir)
    bench = Bench(task, artifact, lazily(artifact, device), device, workdir)
    for pair in bench.pairs:
        for test_set in task.test_sets[pair]:
            prepare(bench, load_test_set(test_set, workdir), pair)


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
