"""Fine-tuning runs: from checkpoint, recipe and training manifest to an adapted checkpoint."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.core.errors import UserError
from harness.core.files import key_of, publish_directory, read_json, write_json
from harness.core.locks import exclusive
from harness.core.progress import log
from harness.core.workdir import WorkDir
from harness.finetune.adapter import add_adapter, require_peft
from harness.finetune.batches import open_source
from harness.finetune.data import TrainingExample, read_rows
from harness.finetune.features import CachedFeatures
from harness.finetune.loop import TrainingSession, train
from harness.finetune.merge import write_merged
from harness.finetune.recipe import FinetuneRecipe
from harness.finetune.state import RunFolder
from harness.inference.load import load_dense
from harness.models.checkpoint import TRAINING_FORMAT, Checkpoint, open_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
_LIBRARIES = ("torch", "transformers", "peft")


@dataclass(frozen=True)
class FinetuneRequest:
    """What to fine-tune, and how.

    Attributes:
        checkpoint: directory of the base, in Hugging Face's layout.
        data: the training manifest, see `read_rows`.
        output: directory of the adapted checkpoint.
        device: torch's name of the device.
    """

    checkpoint: Path
    recipe: FinetuneRecipe
    data: Path
    output: Path
    device: str = "cpu"


class FinetuneResult(msgspec.Struct, frozen=True):
    """An adapted checkpoint.

    Attributes:
        path: its directory.
        run: key of the run that made it.
        losses: path of the log of losses, JSON lines; it may have been removed.
    """

    path: str
    run: str
    steps: int
    losses: str


class TrainingRun(msgspec.Struct, frozen=True, kw_only=True):
    """The provenance in `training.json` of an adapted checkpoint.

    Attributes:
        datasets: data sets that the checkpoint was trained on, including those of its base, sorted.
        parent: fingerprint of its base.
        run: key of the run.
    """

    format_version: int
    role: str
    datasets: tuple[str, ...]
    parent: str
    recipe: FinetuneRecipe
    steps: int
    run: str


def finetune(request: FinetuneRequest, workdir: WorkDir) -> FinetuneResult:
    """Adapt a checkpoint and publish the merged result; a killed run continues from its last saved state.

    Raises:
        UserError: bad checkpoint, manifest or recipe; output of another run; same run in another process; full disk.
        MissingExtraError: PEFT is not installed.
        InterruptedTrainingError: stopped by the user; the state was saved.
    """
    require_peft()
    checkpoint = open_checkpoint(request.checkpoint)
    rows = read_rows(request.data, frozenset(request.recipe.languages), _window(checkpoint))
    provenance = _provenance(request, checkpoint, rows, checkpoint.fingerprint(workdir.cache))
    folder = RunFolder(workdir.finetune / provenance.run)
    result = FinetuneResult(str(request.output), provenance.run, provenance.steps, str(folder.losses))
    if _is_published(request.output, provenance.run):
        log(f"{request.output} is already the result of this run.")
        return result
    _empty_partial(request.output).rmdir()  # fails before the training where the output cannot be written
    with exclusive(folder.path, "is running the same fine-tuning", workdir.locks):
        adapter = _adapt(request, checkpoint, rows, folder, workdir)
        _publish(request, checkpoint, adapter, provenance)
    return result


def _window(checkpoint: Checkpoint) -> float:
    """Return the model's audio window in seconds."""
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor.from_pretrained(checkpoint.path, local_files_only=True)
    return float(extractor.n_samples / extractor.sampling_rate)


def _provenance(
    request: FinetuneRequest, checkpoint: Checkpoint, rows: Sequence[TrainingExample], fingerprint: str
) -> TrainingRun:
    datasets = tuple(sorted({*checkpoint.datasets, *(row.dataset for row in rows)}))
    inputs = {
        "verb": "finetune",
        "format": FORMAT,
        "base": fingerprint,
        "recipe": request.recipe.without_remarks(),
        "rows": key_of([row.content for row in rows]),
        "datasets": datasets,
        "device": request.device.partition(":")[0],
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    return TrainingRun(
        format_version=TRAINING_FORMAT,
        role=request.recipe.role,
        datasets=datasets,
        parent=fingerprint,
        recipe=request.recipe,
        steps=request.recipe.training.steps(len(rows)),
        run=key_of(inputs),
    )


def _is_published(output: Path, run: str) -> bool:
    """Whether the output is already the result of this run; an output of another run raises a `UserError`."""
    file = output / "training.json"
    found = read_json(file) if file.is_file() else None
    is_published = isinstance(found, dict) and found.get("run") == run
    if output.exists() and not is_published:
        raise UserError(f"{output} exists and was not made by this run: name another output, or remove it.")
    return is_published


def _empty_partial(output: Path) -> Path:
    """Create the empty directory in which the output is assembled; what a killed run left there is removed."""
    partial = output.with_name(f"{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"Cannot write {partial}: {error.strerror or error}: name another output.") from error
    return partial


def _adapt(
    request: FinetuneRequest,
    checkpoint: Checkpoint,
    rows: Sequence[TrainingExample],
    folder: RunFolder,
    workdir: WorkDir,
) -> dict[str, "Tensor"]:
    """Train, and return the adapter's parameters by name."""
    engine = load_dense(checkpoint, request.device, request.recipe.training.precision)
    features = CachedFeatures(workdir.cache / "features", engine.processor.feature_extractor)
    source = open_source(rows, features, request.recipe, engine)
    parameters = add_adapter(engine, request.recipe)
    session = TrainingSession(engine, parameters, source, request.recipe.training, folder)
    count = sum(parameter.numel() for parameter in parameters.values())
    log(f"{session.steps} steps on {len(rows)} rows; the adapter has {count:,} parameters.")
    train(session)
    return {name: parameter.detach().cpu() for name, parameter in parameters.items()}


def _publish(
    request: FinetuneRequest, checkpoint: Checkpoint, adapter: Mapping[str, "Tensor"], provenance: TrainingRun
) -> None:
    partial = _empty_partial(request.output)
    lora = request.recipe.lora
    write_merged(checkpoint, adapter, lora.alpha / lora.rank, partial)
    write_json(partial / "training.json", provenance)
    open_checkpoint(partial)
    publish_directory(partial, request.output)
    log(f"Wrote {request.output}.")
