"""`harness tables`: the papers' tables with the results measured here beside the published figures."""

import shutil

import click

from harness.cli.options import Options, Output, common
from harness.core.progress import log
from harness.reporting.paper_tables import ResultIndex, fill, render_markdown, render_terminal
from harness.reporting.paper_tables.published import load_published


@click.command("tables")
@click.argument("names", nargs=-1)
@click.option("--markdown", is_flag=True, help="Print Markdown, with the source of every row.")
@common
def tables_command(options: Options, names: tuple[str, ...], markdown: bool) -> Output:
    """Print the papers' tables (all, or NAMES, e.g. diet-kit-4) with the results of the systems evaluated here."""
    library = load_published()
    chosen = [library.table(name) for name in names or library.tables]
    results = ResultIndex(options.task, options.workdir)
    filled = [fill(*pair, options.task.name, results) for pair in chosen]
    width = shutil.get_terminal_size((160, 24)).columns
    if results.absent:
        log(f"Not measured here, since there is no artifact: {', '.join(results.absent)}.")
    return Output(filled, render_markdown(filled) if markdown else render_terminal(filled, width))
