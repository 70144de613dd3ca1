"""`harness tables`: the papers' tables, ours beside the published figures."""

import shutil

import click

from harness.cli.options import Options, common


@click.command("tables")
@click.argument("names", nargs=-1)
@click.option("--markdown", is_flag=True, help="Print Markdown, with the source of every row.")
@common
def tables_command(options: Options, names: tuple[str, ...], markdown: bool) -> None:
    """Print the papers' tables (all, or those NAMED, e.g. diet-kit-4) with what is built and evaluated here."""
    from harness.core.progress import log
    from harness.reporting.paper_tables import ResultIndex, fill, render_markdown, render_terminal
    from harness.reporting.paper_tables.published import load_published

    library = load_published()
    chosen = [library.table(name) for name in names or library.tables]
    results = ResultIndex(options.task, options.workdir)
    filled = [fill(*pair, options.task.name, results) for pair in chosen]
    width = shutil.get_terminal_size((160, 24)).columns
    options.emit(filled, render_markdown(filled) if markdown else render_terminal(filled, width))
    if results.absent:
        log(f"not measured here, for want of an artifact: {', '.join(results.absent)}")
