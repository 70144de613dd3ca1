"""`harness training-manifest`: from released corpora to the training manifest of `harness finetune`."""

from pathlib import Path

import click
import msgspec

from harness.cli.options import Output, json_option
from harness.finetune.corpora import CORPORA, Corpus, ManifestReport, Mixture, load_mixture, training_manifest

_DIRECTORY = click.Path(path_type=Path)


def _folder_option(corpus: Corpus) -> click.Option:
    return click.Option([corpus.option, _parameter(corpus)], type=_DIRECTORY, help=f"Folder with {corpus.folder}.")


def _parameter(corpus: Corpus) -> str:
    """Return the name of a corpus's argument, an identifier as click needs it."""
    return corpus.option.lstrip("-").replace("-", "_")


class _CorpusCommand(click.Command):
    """A command with one option per registered corpus, whose values it passes on by the corpus's name."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters; corpora of installed packages are found when the command is run, not before."""
        return [*super().get_params(ctx), *(_folder_option(entry.value) for entry in CORPORA)]


@click.command("training-manifest", cls=_CorpusCommand)
@click.argument("mixture", default="diet-kit")
@click.option("--output", type=_DIRECTORY, required=True, help="The manifest to write: JSON lines.")
@click.option("--seed", type=int, default=None, help="Seed of the choice of rows instead of the mixture's.")
@json_option
def training_manifest_command(mixture: str, output: Path, seed: int | None, **options: Path | None) -> Output:
    """Sample the rows of MIXTURE (a name, or a .toml file) from released corpora."""
    given = {entry.name: options[_parameter(entry.value)] for entry in CORPORA}
    folders = {name: folder for name, folder in given.items() if folder is not None}
    loaded = load_mixture(mixture)
    chosen = loaded if seed is None else msgspec.structs.replace(loaded, seed=seed)
    report = training_manifest(chosen, folders, output)
    return Output(report, _text(report, chosen))


def _text(report: ManifestReport, mixture: Mixture) -> str:
    lines = [report.path]
    for part in report.parts:
        left = ", ".join(f"{count} {reason}" for reason, count in part.left_out.items())
        lines.append(
            f"{part.corpus:<12} {mixture.speech}-{part.language}  {part.rows:>7,} rows  {part.hours:7.2f} h"
            + (f"  (left out: {left})" if left else "")
        )
    for language, figure in mixture.published.items():
        hours = sum(part.hours for part in report.parts if part.language == language)
        lines.append(f"{language}: {hours:.2f} h; published: {figure.hours:.2f} h of {figure.utterances:,} utterances")
    return "\n".join(lines)
