"""`harness finetune`: adapt a checkpoint to speech translation with LoRA."""

from pathlib import Path

import click

from harness.cli.options import Output, device_option, json_option
from harness.core.workdir import open_workdir
from harness.finetune import FinetuneRequest, finetune, load_recipe

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
