"""`harness segmenters`: gold, SHAS, silero and fixed windows side by side."""

import click

from harness.cli.options import Options, common, device_option
from harness.core.errors import UserError
from harness.core.files import write_bytes
from harness.core.progress import log


@click.command("segmenters")
@click.argument("system")
@click.argument("direction")
@click.argument("test_sets", nargs=-1)
@device_option
@common
def segmenters_command(options: Options, system: str, direction: str, test_sets: tuple[str, ...], device: str) -> None:
    """Cut TEST_SETS (by default all of the task's) in every way, translate with SYSTEM in DIRECTION, and compare."""
    from harness.calibration.system_artifacts import find_artifact
    from harness.evaluation.evaluate import SystemUnderTest
    from harness.inference.load import engine_loader
    from harness.reporting.segmenter_comparison import compare_segmenters, render_markdown

    if direction not in options.task.directions:
        known = ", ".join(options.task.directions)
        raise UserError(f"Task {options.task.name!r} has no direction {direction!r}: it has {known}.")
    artifact = find_artifact(options.task, system, options.workdir)
    under_test = SystemUnderTest(options.task, artifact, engine_loader(artifact, device), device, options.workdir)
    rows = compare_segmenters(under_test, test_sets or options.task.sets(direction), direction)
    text = render_markdown(rows)
    path = options.workdir.leaderboard / f"segmenters-{system}-{direction}.md"
    write_bytes(path, text.encode())
    log(f"wrote {path}")
    options.emit(rows, text.rstrip("\n"))
