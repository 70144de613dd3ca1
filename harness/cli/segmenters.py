"""`harness segmenters`: compare the segmenters on the same test sets."""

import click

from harness.cli.options import Options, Output, common, device_option
from harness.core.files import write_bytes
from harness.core.progress import log
from harness.pipeline.main_job import system_under_test
from harness.reporting.segmenter_comparison import compare_segmenters, render_markdown


@click.command("segmenters")
@click.argument("system")
@click.argument("direction")
@click.argument("test_sets", nargs=-1)
@device_option
@common
def segmenters_command(
    options: Options, system: str, direction: str, test_sets: tuple[str, ...], device: str
) -> Output:
    """Segment TEST_SETS (by default all of the task's) by every method, translate with SYSTEM, and compare."""
    options.task.language_pair(direction)
    under_test = system_under_test(options.task, system, options.workdir, device)
    rows = compare_segmenters(under_test, test_sets or options.task.sets(direction), direction)
    text = render_markdown(rows)
    path = options.workdir.leaderboard / f"segmenters-{system}-{direction}.md"
    write_bytes(path, text.encode())
    log(f"wrote {path}")
    return Output(rows, text.rstrip("\n"))
