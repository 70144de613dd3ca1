"""`harness list` and `harness plan`: what is registered, and what it would do to which tensor."""

from collections import Counter
from pathlib import Path

import click

from harness.cli.options import Options, common, json_option
from harness.compression.plan import Plan, resolve
from harness.compression.recipe import Recipe
from harness.compression.registry import System, all_systems, get_system
from harness.core.errors import UserError
from harness.core.files import canonical_json


@click.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Show every registered system."""
    systems = all_systems()
    if as_json:
        print(canonical_json([_describe(entry) for entry in systems]).decode())
        return
    width = max(len(entry.name) for entry in systems)
    for entry in systems:
        print(f"{entry.name:<{width}}  {entry.role:<9}  {entry.summary}  [{entry.source}]")


def _describe(entry: System) -> dict[str, str]:
    return {"name": entry.name, "role": entry.role, "source": entry.source, "summary": entry.summary}


@click.command("plan")
@click.argument("system")
@click.option("--shapes", type=click.Path(path_type=Path), help="A config.json: plan from its shapes, without weights.")
@common
def plan_command(options: Options, system: str, shapes: Path | None) -> None:
    """Show which codec SYSTEM gives to each tensor, and what the tensors will weigh."""
    entry = get_system(system)
    plan = _plan_from_shapes(entry, shapes) if shapes else _plan(options, entry)
    options.emit({**plan.to_json(), "size": plan.size}, _render(plan))


def _plan(options: Options, entry: System) -> Plan:
    from harness.calibration.system_artifacts import stored_measurements

    return stored_measurements(options.task, entry, options.workdir).plan(entry)


def _plan_from_shapes(entry: System, shapes: Path) -> Plan:
    from harness.models.qwen2_audio import specs_of_config

    recipe = entry.recipe()
    if not isinstance(recipe, Recipe):
        raise UserError(f"{entry.name} depends on what its artifacts weigh: plan it without --shapes.")
    return resolve(entry.name, recipe, specs_of_config(shapes))


def _render(plan: Plan) -> str:
    codecs = Counter[str]()
    bytes_of = Counter[str]()
    for row in plan.assignments:
        codecs[repr(row.codec)] += 1
        bytes_of[repr(row.codec)] += row.codec.size(row.tensor).bytes
    lines = [f"{bytes_of[codec]:>16,} bytes  {count:>4} tensors  {codec}" for codec, count in codecs.most_common()]
    total = plan.size
    lines.append(
        f"{total.bytes:>16,} bytes = {total.bytes / 1e9:.3f} GB = {total.bytes / 2**30:.3f} GiB of tensors "
        f"({total.certainty}); file headers, tokenizer and configuration come on top"
    )
    return "\n".join(lines)
