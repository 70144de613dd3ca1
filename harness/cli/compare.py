"""`harness compare`: test whether one system is significantly better than another."""

import click

from harness.cli.options import Options, common
from harness.reporting.system_comparison import compare


@click.command("compare")
@click.argument("one")
@click.argument("other")
@click.argument("test_set")
@click.argument("direction")
@common
def compare_command(options: Options, one: str, other: str, test_set: str, direction: str) -> None:
    """Compare systems ONE and OTHER on TEST_SET in DIRECTION, by paired bootstrap and approximate randomisation."""
    found = compare(options.task, (one, other), (test_set, direction), options.workdir)
    options.emit(found, "\n".join(map(str, found)))
