"""`harness ladder`: what each compression step costs in quality."""

import click

from harness.cli.options import Options, Output, common
from harness.core.errors import UserError
from harness.core.files import write_bytes
from harness.core.progress import log
from harness.evaluation.evaluation_store import load_evaluations
from harness.reporting.ladder import measure_ladder, render_markdown, render_png
from harness.testsets.load import test_set_name


@click.command("ladder")
@click.argument("test_set", default="")
@common
def ladder_command(options: Options, test_set: str) -> Output:
    """Compare every evaluated system on TEST_SET (by default the task's first) with the 16-bit system of its role."""
    name = test_set or next((names[0] for names in options.task.test_sets.values() if names), "")
    if not name:
        raise UserError(f"Task {options.task.name!r} has no test set: name one as the argument.")
    ladder = measure_ladder(options.task, test_set_name(name), load_evaluations(options.task, options.workdir))
    text, picture = render_markdown(ladder), render_png(ladder)
    folder = options.workdir.leaderboard
    write_bytes(folder / "ladder.md", text.encode())
    write_bytes(folder / "ladder.png", picture)
    log(f"wrote {folder / 'ladder.md'}, {folder / 'ladder.png'}")
    return Output(ladder, text.rstrip("\n"))
