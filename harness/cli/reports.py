"""`harness compare`, `ladder` and `tables`: comparisons of evaluated systems."""

import shutil

import click

from harness.cli.options import Options, Output, common
from harness.core.errors import UserError
from harness.core.files import write_bytes
from harness.core.progress import log
from harness.evaluation.evaluation_store import load_evaluations
from harness.reporting import ladder, paper_tables
from harness.reporting.paper_tables.published import load_published
from harness.reporting.system_comparison import compare
from harness.testsets.load import test_set_name


@click.command("compare")
@click.argument("one")
@click.argument("other")
@click.argument("test_set")
@click.argument("direction")
@common
def compare_command(options: Options, one: str, other: str, test_set: str, direction: str) -> Output:
    """Compare systems ONE and OTHER on TEST_SET in DIRECTION, by paired bootstrap and approximate randomisation."""
    found = compare(options.task, (one, other), (test_set_name(test_set), direction), options.workdir)
    return Output(found, "\n".join(map(str, found)))


@click.command("ladder")
@click.argument("test_set", default="")
@common
def ladder_command(options: Options, test_set: str) -> Output:
    """Compare every evaluated system on TEST_SET (by default the task's first) with the 16-bit system of its role."""
    name = test_set or next((names[0] for names in options.task.test_sets.values() if names), "")
    if not name:
        raise UserError(f"Task {options.task.name!r} has no test set: name one as the argument.")
    evaluations = load_evaluations(options.task, options.workdir)
    found = ladder.measure_ladder(options.task, test_set_name(name), evaluations)
    text, picture = ladder.render_markdown(found), ladder.render_png(found)
    folder = options.workdir.leaderboard
    write_bytes(folder / "ladder.md", text.encode())
    write_bytes(folder / "ladder.png", picture)
    log(f"wrote {folder / 'ladder.md'}, {folder / 'ladder.png'}")
    return Output(found, text.rstrip("\n"))


@click.command("tables")
@click.argument("names", nargs=-1)
@click.option("--markdown", is_flag=True, help="Print Markdown, with the source of every row.")
@common
def tables_command(options: Options, names: tuple[str, ...], markdown: bool) -> Output:
    """Print the papers' tables (all, or NAMES, e.g. diet-kit-4) with the results of the systems evaluated here."""
    library = load_published()
    chosen = [library.table(name) for name in names or library.tables]
    results = paper_tables.ResultIndex(options.task, options.workdir)
    filled = [paper_tables.fill(*pair, options.task.name, results) for pair in chosen]
    width = shutil.get_terminal_size((160, 24)).columns
    if results.absent:
        log(f"Not measured here, since there is no artifact: {', '.join(results.absent)}.")
    text = paper_tables.render_markdown(filled) if markdown else paper_tables.render_terminal(filled, width)
    return Output(filled, text)
