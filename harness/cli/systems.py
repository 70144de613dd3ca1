"""`harness list` and `harness plan`: the registered systems, and the codec of each tensor."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from harness.calibration.system_artifacts import plan_system, stored_measurements
from harness.cli.options import Options, Output, common, json_option
from harness.compression.codecs.base import Size
from harness.compression.codecs.decimal_estimate import planned_size
from harness.compression.plan import Assignment, Plan, resolve, total_size
from harness.compression.recipe import Recipe
from harness.compression.registry import System, all_systems, get_system
from harness.core.errors import UserError
from harness.models.qwen2_audio import specs_of_config


@click.command("list")
@json_option
def list_command() -> Output:
    """List every registered system."""
    systems = all_systems()
    width = max(len(entry.name) for entry in systems)
    lines = [f"{entry.name:<{width}}  {entry.role:<9}  {entry.summary}  [{entry.source}]" for entry in systems]
    return Output([_describe(entry) for entry in systems], "\n".join(lines))


def _describe(entry: System) -> dict[str, str]:
    return {"name": entry.name, "role": entry.role, "source": entry.source, "summary": entry.summary}


@click.command("plan")
@click.argument("system")
@click.option("--shapes", type=click.Path(path_type=Path), help="A config.json: plan from its shapes, without weights.")
@click.option(
    "--weight-std",
    type=float,
    metavar="SIGMA",
    help="Estimate Decimal's sizes for Gaussian weights of this standard deviation, in place of its upper bounds.",
)
@common
def plan_command(options: Options, system: str, shapes: Path | None, weight_std: float | None) -> Output:
    """Show the codec of each tensor of SYSTEM, and the planned size of the tensors."""
    entry = get_system(system)
    plan = _plan_from_shapes(entry, shapes) if shapes else _plan(options, entry)
    sizes = [_size(row, weight_std) for row in plan.assignments]
    return Output({**plan.to_json(), "size": total_size(sizes)}, _render(plan, sizes))


def _size(row: Assignment, weight_std: float | None) -> Size:
    return row.codec.size(row.tensor) if weight_std is None else planned_size(row.codec, row.tensor, weight_std)


def _plan(options: Options, entry: System) -> Plan:
    return plan_system(stored_measurements(options.task, entry, options.workdir), entry)


def _plan_from_shapes(entry: System, shapes: Path) -> Plan:
    recipe = entry.recipe()
    if not isinstance(recipe, Recipe):
        raise UserError(f"{entry.name} is chosen by the size of built artifacts: plan it without --shapes.")
    return resolve(entry.name, recipe, specs_of_config(shapes))


def _render(plan: Plan, sizes: Sequence[Size]) -> str:
    codecs = Counter[str]()
    bytes_of = Counter[str]()
    for row, size in zip(plan.assignments, sizes, strict=True):
        codecs[repr(row.codec)] += 1
        bytes_of[repr(row.codec)] += size.bytes
    lines = [f"{bytes_of[codec]:>16,} bytes  {count:>4} tensors  {codec}" for codec, count in codecs.most_common()]
    total = total_size(sizes)
    lines.append(
        f"{total.bytes:>16,} bytes = {total.bytes / 1e9:.3f} GB = {total.bytes / 2**30:.3f} GiB of tensors "
        f"({total.certainty}); file headers, tokenizer and configuration come on top"
    )
    return "\n".join(lines)
