"""`harness run`: the main job, as a whole or by stage."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from harness.cli.options import Options, Output, add_options, common, device_option
from harness.cli.submission import package_output
from harness.compression.registry import all_systems, get_system
from harness.config.task import Task
from harness.core import manifests
from harness.core.errors import UserError
from harness.core.progress import log
from harness.pipeline.main_job import Built, Failure, Job, Stage, build_stage, evaluate_stage, leaderboard_stage
from harness.reporting.leaderboard import render_json, render_terminal, write_leaderboard
from harness.submission.manifest import load_submission


@dataclass(frozen=True)
class JobSelection:
    """The part of the main job that is run: names of stages and systems, and the name or path of the submission.

    The task has the systems that translate its blind sets.
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

    names = [stage.value for stage in Stage]
    return add_options(
        function,
        wrapper,
        click.option("--all-sets", is_flag=True, help="All systems translate the blind sets."),
        click.option("--submission", default=None, help="Submission manifest to pack [default: the task's name]."),
        click.option("--system", "names", multiple=True, help="Only this system; may be repeated."),
        click.option("--stage", "stages", multiple=True, type=click.Choice(names), help="Only this stage."),
    )


def _entered(submission: str, task: Task) -> tuple[str, ...]:
    """Return the systems that a submission enters, which translate the blind sets too.

    Raises:
        UserError: the submission does not match the task. It is read here so that this is found before hours of work.
    """
    if not submission.endswith(".toml") and submission not in manifests.names("submissions"):
        return ()
    return tuple(entry.system for entry in load_submission(submission, task).model_entries())


@click.command("run")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Systems processed in parallel.")
@device_option
@common
@part_options
def run_command(options: Options, selection: JobSelection, jobs: int, device: str) -> Output:
    """Build every system, evaluate, rank and pack. Finished results are kept, and a killed run continues.

    With --json, the value is an object with one member for each stage that was run.
    """
    systems = tuple(map(get_system, selection.systems))
    job = Job(selection.task, systems, options.workdir, device, jobs)
    stages: dict[Stage, Callable[[], tuple[Output, tuple[Failure, ...]]]] = {
        Stage.BUILD: lambda: _build(job),
        Stage.EVALUATE: lambda: _evaluate(job),
        Stage.LEADERBOARD: lambda: (leaderboard_output(options, job), ()),
        Stage.PACKAGE: lambda: (package_output(options, selection.submission, device), ()),
    }
    outputs: dict[Stage, Output] = {}
    failures: list[Failure] = []
    for stage in (stage for stage in stages if stage in selection.stages):
        outputs[stage], failed = stages[stage]()
        options.show(outputs[stage].text)
        failures += failed
    if failures:
        log(f"{len(failures)} failed: " + ", ".join(sorted({failure.system for failure in failures})))
    code = UserError.exit_code if failures else max((output.exit_code for output in outputs.values()), default=0)
    return Output({stage: output.value for stage, output in outputs.items()}, exit_code=code)


def _build(job: Job) -> tuple[Output, tuple[Failure, ...]]:
    built = build_stage(job)
    return Output(built, _sizes(job.task, built)), built.failures


def _sizes(task: Task, built: Built) -> str:
    lines = [f"{'system':<20} {'bytes':>16} {'GB':>8} {'GiB':>8} {'weights only':>16}  limit {task.limit.bytes:,}"]
    for report, fits in zip(built.sizes, built.fits, strict=True):
        total = f"{report.total:>16,} {report.total / 1e9:>8.4f} {report.total / 2**30:>8.4f}"
        lines.append(f"{report.system:<20} {total} {report.weights:>16,}  {'PASS' if fits else 'FAIL'}")
    return "\n".join(lines)


def _evaluate(job: Job) -> tuple[Output, tuple[Failure, ...]]:
    done = evaluate_stage(job)
    lines = []
    for each in done.evaluations:
        scores = "  ".join(f"{entry.metric} {entry.value:.3f}" for entry in each.scores) or "no reference"
        lines.append(f"{each.system:<20} {each.test_set} {each.direction}  {scores}")
    return Output(done, "\n".join(lines)), done.failures


def leaderboard_output(options: Options, job: Job) -> Output:
    """Rank a job's evaluated systems and write the leaderboard's files; the value is that of `leaderboard.json`."""
    board = leaderboard_stage(job)
    files = write_leaderboard(board, options.workdir.leaderboard)
    log("wrote " + ", ".join(str(path) for path in files))
    width = shutil.get_terminal_size((120, 24)).columns
    return Output(json.loads(render_json(board)), render_terminal(board, width))
