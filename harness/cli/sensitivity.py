"""`harness sensitivity`: which layers tolerate a coarser codec."""

import click

from harness.calibration.sensitivity import Granularity, Sensitivity, SensitivityTable
from harness.calibration.sensitivity_plot import render_png
from harness.calibration.system_artifacts import measurement_context
from harness.cli.options import Options, Output, common, device_option
from harness.compression.codecs.hqq import Hqq
from harness.compression.registry import get_system
from harness.core.files import write_bytes
from harness.core.progress import log


@click.command("sensitivity")
@click.option("--parent", default="hqq4-emb2-g128", show_default=True, help="System that the sweep starts from.")
@click.option("--bits", default=3, show_default=True, help="Bits of the trial codec (HQQ).")
@click.option("--group-size", default=128, show_default=True, help="Group size of the trial codec.")
@click.option("--by", type=click.Choice([each.value for each in Granularity]), default="layer", show_default=True)
@device_option
@common
def sensitivity_command(options: Options, parent: str, bits: int, group_size: int, by: str, device: str) -> Output:
    """Encode one MLP of a system at a time with a coarser codec, and rank them by the change of the loss."""
    context = measurement_context(options.task, get_system(parent), options.workdir, device)
    request = Sensitivity(parent, Hqq(bits, group_size), granularity=Granularity(by))
    table = request.measure(context)
    picture = options.workdir.measurements / f"{table.key}.png"
    if not picture.is_file():
        write_bytes(picture, render_png(table))
    log(f"wrote {picture}")
    return Output({"table": table, "summary": table.summary}, _render(table))


def _render(table: SensitivityTable) -> str:
    """Return the ranking as text, with `~` where a row ties with the next one."""
    lines = [
        f"{table.parent}: {table.baseline_loss:.4f} nats per token on {', '.join(table.datasets)}",
        f"each unit encoded with {table.trial}:",
        f"{'rank':>4}  {'deviation':>10} {'std. error':>10} {'loss':>8}    unit",
    ]
    for rank, row in enumerate(table.summary, start=1):
        tie = "~" if row.tied_with_next else " "
        lines.append(
            f"{rank:>4}  {row.deviation:>+10.5f} {row.standard_error:>10.5f} {row.loss:>8.4f}  {tie} {row.unit}"
        )
    return "\n".join([*lines, "~: within one standard error of the next unit, so that their order is not certain."])
