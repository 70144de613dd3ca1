"""The main job: build every system, evaluate and rank. Each stage reads the files that the stage before wrote."""

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
from harness.segmentation import check_methods
from harness.testsets.load import load_if_published, load_test_set
from harness.testsets.testset import TestSet


class Stage(StrEnum):
    """The stages of the main job, in order."""

    BUILD = "build"
    EVALUATE = "evaluate"
    LEADERBOARD = "leaderboard"
    PACKAGE = "package"


@dataclass(frozen=True)
class Job:
    """The inputs of the main job: the systems, torch's name of the device, and the number of processes (`jobs`)."""

    task: Task
    systems: tuple[System, ...]
    workdir: WorkDir
    device: str = "cpu"
    jobs: int = 1

    def __post_init__(self) -> None:
        """Refuse an unknown segmenter before anything is built."""
        check_methods(self.task.segmenting)

    def sets(self, system: str, direction: str) -> tuple[str, ...]:
        """Return the names of the test sets that a system translates in a direction."""
        every = system in self.task.blind_systems
        return self.task.sets(direction) if every else self.task.test_sets.get(direction, ())


class Failure(msgspec.Struct, frozen=True):
    """A system that a stage could not finish, and the reason."""

    system: str
    reason: str


class Built(msgspec.Struct, frozen=True):
    """Result of the build stage: the size of each system, whether it is within the limit, and the failures."""

    sizes: tuple[SizeReport, ...]
    fits: tuple[bool, ...]
    failures: tuple[Failure, ...]


class Evaluated(msgspec.Struct, frozen=True):
    """Result of the evaluation stage."""

    evaluations: tuple[Evaluation, ...]
    failures: tuple[Failure, ...]


def build_stage(job: Job) -> Built:
    """Build every system of the job and measure its size; a system that cannot be built is recorded as a failure."""
    if job.jobs > 1:
        _build_in_parallel(job)
    sizes: list[SizeReport] = []
    failures = _each(
        job, "build", lambda each: sizes.append(measure(build_system(job.task, each, job.workdir, job.device)))
    )
    return Built(tuple(sizes), tuple(verdict(size, job.task.limit) for size in sizes), failures)


def _build_in_parallel(job: Job) -> None:
    """Build systems in several processes; the error of a system that fails is reported when its size is measured."""
    bare = replace(job, systems=())  # a recipe may be a closure, which cannot be pickled
    steps = schedule([system for system in job.systems if not _is_built(job, system)])
    work = [_SystemWork(bare, step.system.name, ()) for step in steps]
    with progress("build systems", len(work)) as advance:
        for _ in in_processes(_build, work, job.jobs, [step.after for step in steps]):
            advance(1)


def _is_built(job: Job, system: System) -> bool:
    try:
        find_artifact(job.task, system.name, job.workdir)
    except UserError:
        return False
    return True


def _build(work: "_SystemWork") -> None:
    """Build one system, in a process of its own."""
    build_system(work.job.task, get_system(work.system), work.job.workdir, work.job.device)


def evaluate_stage(job: Job) -> Evaluated:
    """Translate the test sets of each direction with every built artifact, and score the translations.

    With several jobs, systems translate in parallel first. Speed is measured after that, one system at a time, so that
    no other process slows it down.
    """
    test_sets = _import_sets(job)
    if job.jobs > 1:
        _translate_in_parallel(job, test_sets)
    found: list[Evaluation] = []
    failures = _each(job, "evaluate", lambda system: _evaluate(job, system, test_sets, found))
    failures += tuple(_evaluate_imports(job, test_sets, found))
    return Evaluated(tuple(found), failures)


def _evaluate_imports(job: Job, test_sets: dict[str, TestSet], found: list[Evaluation]) -> Iterator[Failure]:
    """Score imported translations again, since the task's metrics may have changed; yield those that fail."""
    for direction in job.task.directions:
        for name in job.task.sets(direction):
            if name in test_sets:
                context = ScoringContext(job.task, test_sets[name], direction, job.workdir)
                for made in load_external_hypotheses(test_sets[name].name, direction, job.workdir):
                    try:
                        found.append(evaluate_external(made, context))
                    except UserError as error:
                        yield Failure(made.name, str(error))


def _import_sets(job: Job) -> dict[str, TestSet]:
    """Import every test set of the task by name, without blind sets that are missing."""
    names = dict.fromkeys(name for direction in job.task.directions for name in job.task.sets(direction))
    found = {name: load_if_published(name, job.task, job.workdir) for name in names}
    return {name: test_set for name, test_set in found.items() if test_set is not None}


def _units(job: Job, under_test: SystemUnderTest, test_sets: dict[str, TestSet]) -> list[tuple[str, str]]:
    """Return the test sets that a system translates, by name, each with its direction."""
    system = under_test.artifact.manifest.system
    wanted = [(name, direction) for direction in under_test.directions for name in job.sets(system, direction)]
    return [(name, direction) for name, direction in wanted if name in test_sets]


def system_under_test(task: Task, system: str, workdir: WorkDir, device: str = "cpu") -> SystemUnderTest:
    """Return a built system, ready to translate; its model is loaded when it is first needed.

    Args:
        task: the task profile.
        system: name of a registered system, or an artifact's directory.
        workdir: where artifacts are and translations are stored.
        device: torch's name of the device that the model runs on.

    Raises:
        UserError: the system is unknown or not built yet.
    """
    artifact = find_artifact(task, system, workdir)
    return SystemUnderTest(task, artifact, engine_loader(artifact, device), device, workdir)


def _under_test(job: Job, system: str) -> SystemUnderTest:
    return system_under_test(job.task, system, job.workdir, job.device)


@dataclass(frozen=True)
class _SystemWork:
    """The work of one process: a system, and for translation the test sets by name, each with its direction."""

    job: Job
    system: str
    sets: tuple[tuple[str, str], ...]


def _translate_in_parallel(job: Job, test_sets: dict[str, TestSet]) -> None:
    """Store the translations; the error of a system that fails is reported when its evaluation is collected."""
    bare = replace(job, systems=())  # a recipe may be a closure, which cannot be pickled
    waiting = []
    for system in job.systems:
        try:
            under_test = _under_test(job, system.name)
        except UserError:
            continue
        units = _units(job, under_test, test_sets)
        sets = tuple(unit for unit in units if entry_of(under_test, test_sets[unit[0]].name, unit[1]).recall() is None)
        if sets:
            waiting.append(_SystemWork(bare, system.name, sets))
    waiting.sort(key=lambda work: len(work.sets), reverse=True)  # the longest first, so that no core is idle at the end
    with progress("translate systems", len(waiting)) as advance:
        for _ in in_processes(_translate, waiting, job.jobs):
            advance(1)


def _translate(work: _SystemWork) -> None:
    """Prepare the evaluation of one system, all but its speed, in a process of its own."""
    under_test = _under_test(work.job, work.system)
    for name, direction in work.sets:
        prepare(under_test, load_test_set(name, work.job.workdir), direction)


def _evaluate(job: Job, system: System, test_sets: dict[str, TestSet], found: list[Evaluation]) -> None:
    """Evaluate a system on its test sets; an error on one set does not stop the others.

    Raises:
        UserError: an evaluation failed; the message holds the sentences of all that failed.
    """
    under_test = _under_test(job, system.name)
    errors = []
    for name, direction in _units(job, under_test, test_sets):
        try:
            found.append(evaluate(under_test, test_sets[name], direction))
        except UserError as error:
            errors.append(f"{name} {direction}: {error}")
    if errors:
        raise UserError(" ".join(errors))


def _each(job: Job, verb: str, work: Callable[[System], object]) -> tuple[Failure, ...]:
    """Call a function for every system; a `UserError` stops that system alone and is recorded as a failure."""
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
