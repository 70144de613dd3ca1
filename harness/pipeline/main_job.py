"""The main job: build every system, evaluate, rank, pack; every stage reads what the one before left on disk."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from harness.calibration.system_artifacts import build_system, find_artifact
from harness.compression.registry import System, get_system
from harness.compression.size import SizeReport, measure, verdict
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.process_pool import in_processes
from harness.core.progress import log, progress
from harness.core.workdir import WorkDir
from harness.evaluation.evaluate import SystemUnderTest, entry_of, evaluate, evaluate_external, prepare
from harness.evaluation.evaluation_store import EXTERNAL, Evaluation, load_evaluations
from harness.evaluation.external_hypotheses import load_external_hypotheses
from harness.inference.load import engine_loader
from harness.pipeline.build_order import schedule
from harness.reporting.leaderboard.assemble import assemble_leaderboard
from harness.reporting.leaderboard.rows import Leaderboard
from harness.scoring.context import ScoringContext
from harness.testsets.load import load_if_published, load_test_set
from harness.testsets.testset import TestSet


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

    def sets(self, system: str, direction: str) -> tuple[str, ...]:
        """Return the names of the sets that a system translates in a direction."""
        return (
            self.task.sets(direction) if system in self.task.blind_systems else self.task.test_sets.get(direction, ())
        )


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
    if job.jobs > 1:
        _build_side_by_side(job)
    sizes: list[SizeReport] = []
    failures = _each(job, "build", lambda system: sizes.append(_weigh(job, system)))
    return Built(tuple(sizes), tuple(verdict(size, job.task.limit) for size in sizes), failures)


def _build_side_by_side(job: Job) -> None:
    """Build what can be built at a time; what stops a system is said when it is weighed."""
    bare = replace(job, systems=())  # a recipe cannot travel to another process; its name can
    steps = schedule([system for system in job.systems if not _is_built(job, system)])
    units = [_Unit(bare, step.system.name, ()) for step in steps]
    with progress("build systems", len(units)) as advance:
        for _ in in_processes(_build, units, job.jobs, [step.after for step in steps]):
            advance(1)


def _is_built(job: Job, system: System) -> bool:
    try:
        find_artifact(job.task, system.name, job.workdir)
    except UserError:
        return False
    return True


def _build(unit: "_Unit") -> None:
    """Build one system; runs in a process of its own."""
    build_system(unit.job.task, get_system(unit.system), unit.job.workdir, unit.job.device)


def _weigh(job: Job, system: System) -> SizeReport:
    return measure(build_system(job.task, system, job.workdir, job.device))


def evaluate_stage(job: Job) -> Evaluated:
    """Let every built artifact translate the sets of its directions, and score what it says.

    With several jobs, systems translate side by side first; speed is measured after that, by one at a time.
    """
    test_sets = _import_sets(job)
    if job.jobs > 1:
        _translate_side_by_side(job, test_sets)
    found: list[Evaluation] = []
    failures = _each(job, "evaluate", lambda system: _evaluate(job, system, test_sets, found))
    return Evaluated((*found, *_evaluate_imports(job, test_sets)), failures)


def _evaluate_imports(job: Job, test_sets: dict[str, TestSet]) -> Iterator[Evaluation]:
    """Score imported translations again, since the task's metrics may have changed since they were imported."""
    for direction in job.task.directions:
        for name in job.task.sets(direction):
            if name in test_sets:
                context = ScoringContext(job.task, test_sets[name], direction, job.workdir)
                for made in load_external_hypotheses(test_sets[name].name, direction, job.workdir):
                    yield evaluate_external(made, context)


def _import_sets(job: Job) -> dict[str, TestSet]:
    """Import every test set of the task by name, without blind sets that are missing."""
    names = dict.fromkeys(name for direction in job.task.directions for name in job.task.sets(direction))
    found = {name: load_if_published(name, job.task, job.workdir) for name in names}
    return {name: test_set for name, test_set in found.items() if test_set is not None}


def _units(job: Job, under_test: SystemUnderTest, test_sets: dict[str, TestSet]) -> list[tuple[str, str]]:
    """Return which sets a system translates in which direction, by name."""
    system = under_test.artifact.manifest.system
    return [
        (name, direction)
        for direction in under_test.directions
        for name in job.sets(system, direction)
        if name in test_sets
    ]


def _bench(job: Job, system: System) -> SystemUnderTest:
    artifact = find_artifact(job.task, system.name, job.workdir)
    return SystemUnderTest(job.task, artifact, engine_loader(artifact, job.device), job.device, job.workdir)


@dataclass(frozen=True)
class _Unit:
    """What one process works on: a system, and for translating which sets in which direction."""

    job: Job
    system: str
    sets: tuple[tuple[str, str], ...]


def _translate_side_by_side(job: Job, test_sets: dict[str, TestSet]) -> None:
    """Fill the stores; what stops a system is said when its evaluation is collected."""
    bare = replace(job, systems=())  # a recipe cannot travel to another process; its name can
    waiting = []
    for system in job.systems:
        try:
            under_test = _bench(job, system)
        except UserError:
            continue
        sets = [
            (name, direction)
            for name, direction in _units(job, under_test, test_sets)
            if entry_of(under_test, test_sets[name].name, direction).recall() is None
        ]
        if sets:
            waiting.append(_Unit(bare, system.name, tuple(sets)))
    waiting.sort(key=lambda unit: len(unit.sets), reverse=True)  # so that no core waits for a long one at the end
    with progress("translate systems", len(waiting)) as advance:
        for _ in in_processes(_translate, waiting, job.jobs):
            advance(1)


def _translate(unit: _Unit) -> None:
    """Do everything for one system but measuring its speed; runs in a process of its own."""
    under_test = _bench(unit.job, get_system(unit.system))
    for name, direction in unit.sets:
        prepare(under_test, load_test_set(name, unit.job.workdir), direction)


def _evaluate(job: Job, system: System, test_sets: dict[str, TestSet], found: list[Evaluation]) -> None:
    """Evaluate a system on its sets; what stops one set does not stop the others.

    Raises:
        UserError: some sets were stopped; the sentences of all.
    """
    under_test = _bench(job, system)
    stopped = []
    for name, direction in _units(job, under_test, test_sets):
        try:
            found.append(evaluate(under_test, test_sets[name], direction))
        except UserError as error:
            stopped.append(f"{name} {direction}: {error}")
    if stopped:
        raise UserError(" ".join(stopped))


def _each(job: Job, verb: str, work: Callable[[System], object]) -> tuple[Failure, ...]:
    """Do a verb for every system; a user's mistake stops that system alone and is recorded with its reason."""
    failures = []
    with progress(f"{verb} systems", len(job.systems)) as advance:
        for system in job.systems:
            try:
                work(system)
            except UserError as error:
                failures.append(Failure(system.name, str(error)))
                log(f"{verb} {system.name}: {error}")
            advance(1)
    return tuple(failures)


def leaderboard_stage(job: Job) -> Leaderboard:
    """Rank the job's systems and the imported ones from their stored evaluations.

    Raises:
        UserError: none is evaluated, or a stored evaluation is damaged.
    """
    names = {system.name for system in job.systems}
    evaluations = [e for e in load_evaluations(job.task, job.workdir) if e.role == EXTERNAL or e.system in names]
    missing = names - {each.system for each in evaluations}
    if missing and evaluations:
        log(f"Not evaluated and left out: {', '.join(sorted(missing))}.")
    return assemble_leaderboard(job.task, evaluations)
