"""`harness build` and `harness size`: make artifacts and measure their size."""

import click

from harness.calibration.system_artifacts import build_system, find_artifact
from harness.cli.options import Options, Output, common, device_option
from harness.compression.registry import get_system
from harness.compression.size import measure, render, verdict


@click.command("build")
@click.argument("systems", nargs=-1, required=True)
@device_option
@common
def build_command(options: Options, systems: tuple[str, ...], device: str) -> Output:
    """Build SYSTEMS from the task's checkpoints; a build that was interrupted continues where it stopped.

    The measurements that a system needs are made first, on the device; weights are encoded on the CPU.
    """
    built = []
    for entry in [get_system(name) for name in systems]:
        artifact = build_system(options.task, entry, options.workdir, device)
        report = measure(artifact)
        options.show(f"{artifact.path}\n{render(report, options.task.limit)}")
        built.append({"system": entry.name, "artifact": artifact.id, "path": str(artifact.path), "bytes": report.total})
    return Output(built)


@click.command("size")
@click.argument("system")
@common
def size_command(options: Options, system: str) -> Output:
    """Compare the size of SYSTEM (a name, or an artifact's directory) with the limit: exit code 1 when it is over."""
    report = measure(find_artifact(options.task, system, options.workdir))
    fits = verdict(report, options.task.limit)
    value = {"report": report, "limit": options.task.limit, "pass": fits}
    return Output(value, render(report, options.task.limit), exit_code=0 if fits else 1)
