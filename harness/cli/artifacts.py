"""`harness build` and `harness size`: artifacts and what they weigh."""

import sys

import click

from harness.calibration.system_artifacts import build_system, find_artifact
from harness.cli.options import Options, common, device_option
from harness.compression.registry import get_system
from harness.compression.size import measure, render, verdict


@click.command("build")
@click.argument("systems", nargs=-1, required=True)
@device_option
@common
def build_command(options: Options, systems: tuple[str, ...], device: str) -> None:
    """Build SYSTEMS from the task's checkpoints; one that was interrupted goes on where it stopped.

    Measurements that a system's choices rest on are made first, on the device; coding runs on the CPU.
    """
    entries = [get_system(name) for name in systems]
    for entry in entries:
        artifact = build_system(options.task, entry, options.workdir, device)
        report = measure(artifact)
        options.emit(
            {"system": entry.name, "artifact": artifact.id, "path": str(artifact.path), "bytes": report.total},
            f"{artifact.path}\n{render(report, options.task.limit)}",
        )


@click.command("size")
@click.argument("system")
@common
def size_command(options: Options, system: str) -> None:
    """Weigh SYSTEM (a name, or an artifact's directory) against the limit: exit code 0 when it passes, 1 when not."""
    report = measure(find_artifact(options.task, system, options.workdir))
    fits = verdict(report, options.task.limit)
    options.emit(
        {"report": report, "limit": options.task.limit, "pass": fits},
        render(report, options.task.limit),
    )
    sys.exit(0 if fits else 1)
