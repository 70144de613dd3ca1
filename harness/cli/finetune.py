"""`harness training-manifest` and `finetune`: adapt a checkpoint to speech translation with LoRA."""

from pathlib import Path

import click
import msgspec

from harness.cli.options import Output, device_option, json_option
from harness.core.workdir import open_workdir
from harness.finetune import FinetuneRequest, finetune, load_recipe
from harness.finetune.corpora import CORPORA, Corpus, ManifestReport, Mixture, load_mixture, training_manifest

_DIRECTORY = click.Path(path_type=Path)


@click.command("finetune")
@click.option("--checkpoint", type=_DIRECTORY, required=True, help="The base: a directory in Hugging Face's layout.")
@click.option("--recipe", required=True, help="Hyper-parameters: a recipe's name (diet-kit, demo) or a .toml file.")
@click.option("--data", type=_DIRECTORY, required=True, help="Training manifest: JSON lines, one example each.")
@click.option("--output", type=_DIRECTORY, required=True, help="The adapted checkpoint: a new directory.")
@click.option("--workdir", default=None, help="Folder for states and features [default: work, or $HARNESS_WORKDIR].")
@device_option
@json_option
def finetune_command(
    checkpoint: Path, recipe: str, data: Path, output: Path, workdir: str | None, device: str
) -> Output:
    """Adapt a checkpoint by LoRA and merge the adapter; a run that was stopped continues from its last saved state."""
    request = FinetuneRequest(checkpoint, load_recipe(recipe), data, output, device)
    result = finetune(request, open_workdir(workdir))
    return Output(result, str(result.path))


def _parameter(corpus: Corpus) -> str:
    """Return the name of a corpus's argument, an identifier as click needs it."""
    return corpus.option.lstrip("-").replace("-", "_")


class _CorpusCommand(click.Command):
    """A command with one option per registered corpus, whose values it passes on by the corpus's name."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters; corpora of installed packages are found when the command is run, not before."""
        return super().get_params(ctx) + [
            click.Option([each.option, _parameter(each)], type=_DIRECTORY, help=f"Folder with {each.folder}.")
            for each in (entry.value for entry in CORPORA)
        ]


@click.command("training-manifest", cls=_CorpusCommand)
@click.argument("mixture", default="diet-kit")
@click.option("--output", type=_DIRECTORY, required=True, help="The manifest to write: JSON lines.")
@click.option("--seed", type=int, default=None, help="Seed of the choice of rows instead of the mixture's.")
@json_option
def training_manifest_command(mixture: str, output: Path, seed: int | None, **options: Path | None) -> Output:
    """Sample the rows of MIXTURE (a name, or a .toml file) from released corpora."""
    folders = {e.name: folder for e in CORPORA if (folder := options[_parameter(e.value)]) is not None}
    loaded = load_mixture(mixture)
    chosen = loaded if seed is None else msgspec.structs.replace(loaded, seed=seed)
    report = training_manifest(chosen, folders, output)
    return Output(report, _text(report, chosen))


def _text(report: ManifestReport, mixture: Mixture) -> str:
    lines = [report.path]
    for part in report.parts:
        left = ", ".join(f"{count} {reason}" for reason, count in part.left_out.items())
        amount = f"{part.rows:>7,} rows  {part.hours:7.2f} h" + (f"  (left out: {left})" if left else "")
        lines.append(f"{part.corpus:<12} {mixture.speech}-{part.language}  {amount}")
    for language, figure in mixture.published.items():
        hours = sum(part.hours for part in report.parts if part.language == language)
        lines.append(f"{language}: {hours:.2f} h; published: {figure.hours:.2f} h of {figure.utterances:,} utterances")
    return "\n".join(lines)
