"""`harness list`, `plan`, `build`, `size`, `sensitivity` and `vocabulary`: systems, their codecs and their sizes."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from harness.calibration import system_artifacts
from harness.calibration.sensitivity import Granularity, Sensitivity, SensitivityTable
from harness.calibration.sensitivity_plot import render_png
from harness.cli.options import Options, Output, common, device_option, json_option
from harness.compression.codecs.base import Size
from harness.compression.codecs.decimal_estimate import planned_size
from harness.compression.codecs.hqq import Hqq
from harness.compression.plan import Plan, resolve, total_size
from harness.compression.recipe import Recipe
from harness.compression.registry import all_systems, get_system
from harness.compression.size import measure, render, verdict
from harness.compression.vocabulary import Saving, Vocabulary, analyse, saving
from harness.core.errors import UserError
from harness.core.files import write_bytes
from harness.core.progress import log
from harness.models.qwen2_audio import specs_of_config


@click.command("list")
@json_option
def list_command() -> Output:
    """List every registered system."""
    systems = all_systems()
    width = max(len(entry.name) for entry in systems)
    lines = [f"{entry.name:<{width}}  {entry.role:<9}  {entry.summary}  [{entry.source}]" for entry in systems]
    shown = ("name", "role", "source", "summary")
    return Output([{key: getattr(entry, key) for key in shown} for entry in systems], "\n".join(lines))


@click.command("plan")
@click.argument("system")
@click.option("--shapes", type=click.Path(path_type=Path), help="A config.json: plan from its shapes, without weights.")
@click.option("--weight-std", type=float, metavar="SIGMA",
              help="Estimate Decimal's sizes for Gaussian weights of this standard deviation, in place of its upper "
              "bounds.")  # fmt: skip
@common
def plan_command(options: Options, system: str, shapes: Path | None, weight_std: float | None) -> Output:
    """Show the codec of each tensor of SYSTEM, and the planned size of the tensors."""
    entry = get_system(system)
    if shapes:
        plan = _plan_from_shapes(entry.name, shapes, "plan it without --shapes")
    else:
        plan = system_artifacts.plan_system(
            system_artifacts.stored_measurements(options.task, entry, options.workdir), entry
        )
    sizes = [
        row.codec.size(row.tensor) if weight_std is None else planned_size(row.codec, row.tensor, weight_std)
        for row in plan.assignments
    ]
    return Output({**plan.to_json(), "size": total_size(sizes)}, _plan_text(plan, sizes))


def _plan_from_shapes(system: str, shapes: Path, advice: str) -> Plan:
    recipe = get_system(system).recipe()
    if not isinstance(recipe, Recipe):
        raise UserError(f"{system} is chosen by the size of built artifacts: {advice}.")
    return resolve(system, recipe, specs_of_config(shapes))


def _plan_text(plan: Plan, sizes: Sequence[Size]) -> str:
    codecs = Counter(repr(row.codec) for row in plan.assignments)
    bytes_of = Counter[str]()
    for row, size in zip(plan.assignments, sizes, strict=True):
        bytes_of[repr(row.codec)] += size.bytes
    lines = [f"{bytes_of[codec]:>16,} bytes  {count:>4} tensors  {codec}" for codec, count in codecs.most_common()]
    total = total_size(sizes)
    lines.append(
        f"{total.bytes:>16,} bytes = {total.bytes / 1e9:.3f} GB = {total.bytes / 2**30:.3f} GiB of tensors "
        f"({total.certainty}); file headers, tokenizer and configuration come on top"
    )
    return "\n".join(lines)


@click.command("build")
@click.argument("systems", nargs=-1, required=True)
@device_option
@common
def build_command(options: Options, systems: tuple[str, ...], device: str) -> Output:
    """Build SYSTEMS from the task's checkpoints; a build that was interrupted continues where it stopped.

    The measurements that a system needs are made first, on the device; weights are encoded on the CPU.
    """
    built = []
    for entry in [get_system(name) for name in systems]:
        artifact = system_artifacts.build_system(options.task, entry, options.workdir, device)
        report = measure(artifact)
        options.show(f"{artifact.path}\n{render(report, options.task.limit)}")
        built.append({"system": entry.name, "artifact": artifact.id, "path": str(artifact.path), "bytes": report.total})
    return Output(built)


@click.command("size")
@click.argument("system")
@common
def size_command(options: Options, system: str) -> Output:
    """Compare the size of SYSTEM (a name, or an artifact's directory) with the limit: exit code 1 when it is over."""
    limit = options.task.limit
    report = measure(system_artifacts.find_artifact(options.task, system, options.workdir))
    fits = verdict(report, limit)
    return Output({"report": report, "limit": limit, "pass": fits}, render(report, limit), exit_code=0 if fits else 1)


@click.command("sensitivity")
@click.option("--parent", default="hqq4-emb2-g128", show_default=True, help="System that the sweep starts from.")
@click.option("--bits", default=3, show_default=True, help="Bits of the trial codec (HQQ).")
@click.option("--group-size", default=128, show_default=True, help="Group size of the trial codec.")
@click.option("--by", type=click.Choice([each.value for each in Granularity]), default="layer", show_default=True)
@device_option
@common
def sensitivity_command(options: Options, parent: str, bits: int, group_size: int, by: str, device: str) -> Output:
    """Encode one MLP of a system at a time with a coarser codec, and rank them by the change of the loss."""
    context = system_artifacts.measurement_context(options.task, get_system(parent), options.workdir, device)
    table = Sensitivity(parent, Hqq(bits, group_size), granularity=Granularity(by)).measure(context)
    picture = options.workdir.measurements / f"{table.key}.png"
    if not picture.is_file():
        write_bytes(picture, render_png(table))
    log(f"wrote {picture}")
    return Output({"table": table, "summary": table.summary}, _ranking(table))


def _ranking(table: SensitivityTable) -> str:
    """Return the ranking as text, with `~` where a row ties with the next one."""
    lines = [
        f"{table.parent}: {table.baseline_loss:.4f} nats per token on {', '.join(table.datasets)}",
        f"each unit encoded with {table.trial}:",
        f"{'rank':>4}  {'deviation':>10} {'std. error':>10} {'loss':>8}    unit",
    ]
    for rank, row in enumerate(table.summary, start=1):
        figures = f"{row.deviation:>+10.5f} {row.standard_error:>10.5f} {row.loss:>8.4f}"
        lines.append(f"{rank:>4}  {figures}  {'~' if row.tied_with_next else ' '} {row.unit}")
    return "\n".join([*lines, "~: within one standard error of the next unit, so that their order is not certain."])


@click.command("vocabulary")
@click.argument("tokenizer", type=click.Path(path_type=Path))
@click.option("--language", "languages", multiple=True, default=("en", "de", "zh"), show_default=True,
              help="A language whose tokens are needed (ISO 639-1); may be repeated.")  # fmt: skip
@click.option("--system", "systems", multiple=True, help="Report the saving in this system; may be repeated.")
@click.option("--shapes", type=click.Path(path_type=Path), help="The model's config.json [default: the tokenizer's].")
@json_option
def vocabulary_command(
    tokenizer: Path, languages: tuple[str, ...], systems: tuple[str, ...], shapes: Path | None
) -> Output:
    """Count the tokens of TOKENIZER (a directory) by script, and report what pruning would save."""
    found = analyse(tokenizer, languages)
    shapes, advice = shapes or tokenizer / "config.json", "name the system of which it is a variant"
    savings = [saving(_plan_from_shapes(name, shapes, advice), found.prunable) for name in systems]
    value = {"vocabulary": found, "prunable": found.prunable, "savings": savings}
    return Output(value, "\n".join([*_counts(found), *map(_sentence, savings)]))


def _counts(found: Vocabulary) -> list[str]:
    lines = [f"{found.tokens:,} tokens without the special ones; needed: {', '.join(found.languages)}"]
    for count in found.counts:
        share = "" if count.share is None else f"{count.share:5.1f} %"
        lines.append(f"  {count.script:<26}{count.tokens:>9,}  {share:>7}{'' if count.needed else '  prunable'}")
    return [*lines, f"  {'prunable in all':<26}{found.prunable:>9,}  {100 * found.prunable / found.tokens:5.1f} %"]


def _sentence(each: Saving) -> str:
    less = f"{each.bytes:,} bytes ({each.bytes / 1e6:.3f} MB) less in embedding and LM head"
    return f"{each.system}: {less} ({each.certainty})"
