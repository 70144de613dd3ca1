"""`harness compare`: test whether the difference between two systems is significant."""

import click

from harness.cli.options import Options, Output, common
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
