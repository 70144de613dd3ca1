"""`harness training-manifest`: released corpora -> the training manifest of `harness finetune`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from harness.cli.options import json_option
from harness.core.files import canonical_json

if TYPE_CHECKING:
    from harness.finetune.corpora import ManifestReport, Mixture

_DIRECTORY = click.Path(path_type=Path)


@click.command("training-manifest")
@click.argument("mixture", default="diet-kit")
@click.option("--covost", type=_DIRECTORY, help="Folder with CoVoST 2's TSV files and Common Voice's clips/.")
@click.option("--europarl-st", type=_DIRECTORY, help="Folder of Europarl-ST with one folder per language.")
@click.option("--output", type=_DIRECTORY, required=True, help="The manifest to write: JSON lines.")
@click.option("--seed", type=int, default=None, help="Seed of the choice of rows instead of the mixture's.")
@json_option
def training_manifest_command(
    mixture: str, covost: Path | None, europarl_st: Path | None, output: Path, seed: int | None, as_json: bool
) -> None:
    """Sample the rows of MIXTURE (a name, or a .toml file) from released corpora."""
    from harness.finetune.corpora import Places, load_mixture, training_manifest

    loaded = load_mixture(mixture)
    wanted = loaded if seed is None else msgspec.structs.replace(loaded, seed=seed)
    report = training_manifest(wanted, Places(covost, europarl_st), output)
    print(canonical_json(report).decode() if as_json else _text(report, wanted))


def _text(report: "ManifestReport", mixture: "Mixture") -> str:
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
