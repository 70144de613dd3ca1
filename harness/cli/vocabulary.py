"""`harness vocabulary`: the scripts of a tokenizer's tokens, and the bytes that pruning would save."""

from pathlib import Path

import click

from harness.cli.options import Output, json_option
from harness.compression.plan import resolve
from harness.compression.recipe import Recipe
from harness.compression.registry import get_system
from harness.compression.vocabulary import Saving, Vocabulary, analyse, saving
from harness.core.errors import UserError
from harness.models.qwen2_audio import specs_of_config


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
    savings = [_saving(name, shapes or tokenizer / "config.json", found.prunable) for name in systems]
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


def _saving(system: str, shapes: Path, tokens: int) -> Saving:
    entry = get_system(system)
    recipe = entry.recipe()
    if not isinstance(recipe, Recipe):
        raise UserError(f"{system} is chosen by the size of built artifacts: name the system of which it is a variant.")
    return saving(resolve(system, recipe, specs_of_config(shapes)), tokens)
