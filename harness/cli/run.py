"""`harness run`: the main job, whole or by stage."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from harness.cli.options import Options, common, device_option
from harness.cli.submission import show_package
from harness.compression.registry import all_systems, get_system
from harness.config.task import Task
from harness.core import manifests
from harness.core.progress import log
from harness.pipeline.main_job import Built, Failure, Job, Stage, build_stage, evaluate_stage, leaderboard_stage
from harness.reporting.leaderboard import render_json, render_terminal, write_leaderboard
from harness.scoring.metric import Score
from harness.submission.manifest import load_submission


@dataclass(frozen=True)
class JobSelection:
    """Which part of the main job is wanted.

    Attributes:
        stages: names of stages, in any order.
        systems: names of systems.
        submission: the submission manifest.
        task: the task, with the systems that translate its blind sets.
    """

    stages: tuple[str, ...]
    systems: tuple[str, ...]
    submission: str
    task: Task


def part_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a part of the main job, and pass them as one `JobSelection` after the `Options`."""

    def wrapper(options: Options, **rest: Any) -> Any:
        stages, names = rest.pop("stages") or tuple(Stage), rest.pop("names")
        systems = names or tuple(system.name for system in all_systems())
        submission = rest.pop("submission") or options.task.name
        blind = systems if rest.pop("all_sets") else (*options.task.blind_systems, *_entered(submission, options.task))
        task = msgspec.structs.replace(options.task, blind_systems=blind)
        return function(options, JobSelection(stages, systems, submission, task), **rest)

    wrapper.__name__, wrapper.__doc__ = function.__name__, function.__doc__
    wrapper.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    names = [stage.value for stage in Stage]
    for option in (
        click.option("--all-sets", is_flag=True, help="All systems translate the blind sets."),
        click.option("--submission", default=None, help="Submission manifest to pack [default: the task's name]."),
        click.option("--system", "names", multiple=True, help="Only this system; may be repeated."),
        click.option("--stage", "stages", multiple=True, type=click.Choice(names), help="Only this stage."),
    ):
        wrapper = option(wrapper)
    return wrapper


def _entered(submission: str, task: Task) -> tuple[str, ...]:
    """Return the systems that a submission enters: they translate the blind sets too.

    Raises:
        UserError: the submission does not suit the task; said before hours of work, not after them.
    """
    if not submission.endswith(".toml") and submission not in manifests.names("submissions"):
        return ()
    return tuple(entry.system for entry in load_submission(submission, task).model_entries())


@click.command("run")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Systems that translate at a time.")
@device_option
@common
@part_options
def run_command(options: Options, wanted: JobSelection, jobs: int, device: str) -> None:
    """Build every system, evaluate, rank and pack. What is done already is kept; a killed run goes on."""
    systems = tuple(map(get_system, wanted.systems))
    job = Job(wanted.task, systems, options.workdir, device, jobs)
    steps: dict[Stage, Callable[[], tuple[Failure, ...]]] = {
        Stage.BUILD: lambda: _build(options, job),
        Stage.EVALUATE: lambda: _evaluate(options, job),
        Stage.LEADERBOARD: lambda: show_leaderboard(options, job),
    }
    failures = [failure for stage in steps if stage in wanted.stages for failure in steps[stage]()]
    faults = show_package(options, wanted.submission, device) if Stage.PACKAGE in wanted.stages else 0
    if failures:
        log(f"{len(failures)} failed: " + ", ".join(sorted({failure.system for failure in failures})))
    sys.exit(2 if failures else faults)


def _build(options: Options, job: Job) -> tuple[Failure, ...]:
    built = build_stage(job)
    options.emit(built, _sizes(options, built))
    return built.failures


def _sizes(options: Options, built: Built) -> str:
    limit = options.task.limit
    lines = [f"{'system':<20} {'bytes':>16} {'GB':>8} {'GiB':>8} {'weights only':>16}  limit {limit.bytes:,}"]
    for report, fits in zip(built.sizes, built.fits, strict=True):
        lines.append(
            f"{report.system:<20} {report.total:>16,} {report.total / 1e9:>8.4f} {report.total / 2**30:>8.4f} "
            f"{report.weights:>16,}  {'PASS' if fits else 'FAIL'}"
        )
    return "\n".join(lines)


def _evaluate(options: Options, job: Job) -> tuple[Failure, ...]:
    done = evaluate_stage(job)
    lines = [f"{e.system:<20} {e.test_set} {e.direction}  " + _scores(e.scores) for e in done.evaluations]
    options.emit(done, "\n".join(lines))
    return done.failures


def _scores(scores: tuple[Score, ...]) -> str:
    return "  ".join(f"{entry.metric} {entry.value:.3f}" for entry in scores) or "no reference"


def show_leaderboard(options: Options, job: Job) -> tuple[Failure, ...]:
    """Rank, write the leaderboard's files and print it."""
    board = leaderboard_stage(job)
    files = write_leaderboard(board, options.workdir.leaderboard)
    width = shutil.get_terminal_size((120, 24)).columns
    print(render_json(board) if options.as_json else render_terminal(board, width))
    log("wrote " + ", ".join(str(path) for path in files))
    return ()
