"""Features, adapter, loss and merge on a tiny random model."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Qwen2AudioForConditionalGeneration

from harness.audio.recording import read_stretch
from harness.core.errors import MissingExtraError
from harness.finetune.adapter import add_adapter, require_peft
from harness.finetune.batches import ExampleSource, open_source
from harness.finetune.data import TrainingExample, read_rows
from harness.finetune.features import CachedFeatures
from harness.finetune.loop import TrainingSession, target_loss, train
from harness.finetune.merge import write_merged
from harness.finetune.recipe import FinetuneRecipe, TrainingPrecision
from harness.finetune.state import RunFolder
from harness.inference.engine import Engine
from harness.inference.load import load_dense
from harness.inference.prompting import right_padded
from harness.models.checkpoint import Checkpoint, open_checkpoint
from harness.models.tensor_spec import Component
from tests.helpers.finetuning import RECIPE, with_lora, with_training, write_manifest
from tests.helpers.tiny_model import TinyModel, write_tiny_model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Return a tiny checkpoint in float32."""
    return open_checkpoint(write_tiny_model(tmp_path_factory.mktemp("base"), TinyModel(dtype="float32")))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingExample, ...]:
    """Return the rows of the toy manifest."""
    return read_rows(write_manifest(tmp_path_factory.mktemp("data")), frozenset({"de", "zh"}), window=2.0)


def source_of(
    rows: tuple[TrainingExample, ...], engine: Engine, folder: Path, recipe: FinetuneRecipe = RECIPE
) -> ExampleSource:
    """Return the rows as input of the model."""
    return open_source(rows, CachedFeatures(folder, engine.processor.feature_extractor), recipe, engine)


def scramble(parameters: dict[str, torch.nn.Parameter]) -> None:
    """Set an adapter to random values, as if it had been trained."""
    torch.manual_seed(1)
    for parameter in parameters.values():
        parameter.data.normal_(0, 0.1)


def logits_of(engine: Engine, source: ExampleSource) -> torch.Tensor:
    """Return the model's logits for all rows."""
    engine.model.eval()
    with torch.no_grad():
        logits: torch.Tensor = engine.model(
            **right_padded(engine, source.examples(range(len(source.rows)))).arguments()
        )[0]
    return logits


def test_examples_are_those_of_the_processor(
    base: Checkpoint, rows: tuple[TrainingExample, ...], tmp_path: Path
) -> None:
    """Forbids other features or prompts in training than `processor(text, audio)` computes.

    The end token of the tiny model is 258. Half precision rounds the features by 0.0005 of values below 2.
    """
    engine = load_dense(base, "cpu", "float32")
    source = source_of(rows, engine, tmp_path)
    for _ in ("computed", "from disk"):
        example = source.examples([3])[0]
        samples = read_stretch(rows[3].recording, rows[3].offset, rows[3].duration)
        text = "<|audio_bos|><|AUDIO|><|audio_eos|>Translate this speech to Chinese: \n"
        made = engine.processor(text=text, audio=[samples], sampling_rate=16_000, return_tensors="pt")
        assert list(example.prompt) == made["input_ids"][0].tolist()
        assert torch.allclose(example.features.mel, made["input_features"][0], atol=1e-3)
        assert example.features.frames == int(made["feature_attention_mask"].sum())
        assert example.target == (*engine.processor.tokenizer(rows[3].text)["input_ids"], 258)


def test_features_are_computed_once(base: Checkpoint, rows: tuple[TrainingExample, ...], tmp_path: Path) -> None:
    """Forbids computing features again in later epochs, and that a truncated file stops a training."""
    engine = load_dense(base, "cpu", "float32")
    first = CachedFeatures(tmp_path, engine.processor.feature_extractor).extract(rows[0])
    files = list(tmp_path.rglob("*.npy"))
    assert len(files) == 1
    stamp = files[0].stat().st_mtime_ns
    again = CachedFeatures(tmp_path, engine.processor.feature_extractor).extract(rows[0])
    assert np.array_equal(first.mel.numpy(), again.mel.numpy())
    assert files[0].stat().st_mtime_ns == stamp
    files[0].write_bytes(files[0].read_bytes()[:200])
    repaired = CachedFeatures(tmp_path, engine.processor.feature_extractor).extract(rows[0])
    assert np.array_equal(first.mel.numpy(), repaired.mel.numpy())


def test_fresh_adapter_changes_nothing(base: Checkpoint, rows: tuple[TrainingExample, ...], tmp_path: Path) -> None:
    """Forbids a new adapter that changes the base's outputs."""
    engine = load_dense(base, "cpu", "float32")
    source = source_of(rows, engine, tmp_path)
    before = logits_of(engine, source)
    add_adapter(engine, RECIPE)
    assert torch.equal(logits_of(engine, source), before)


@pytest.mark.parametrize("recipe", [with_lora(rank=64, dropout=0.1), with_lora(rank=64, dropout=0.0)])
def test_merged_model_equals_base_with_adapter(
    base: Checkpoint, rows: tuple[TrainingExample, ...], tmp_path: Path, recipe: FinetuneRecipe
) -> None:
    """Forbids a merge that changes the logits by more than 1e-4; rank 64 on width 64, by PEFT's layers and folded."""
    every = tuple(part for part in Component if part not in {Component.NORM, Component.EMBEDDING})
    recipe = with_lora(rank=recipe.lora.rank, dropout=recipe.lora.dropout, components=every)
    engine = load_dense(base, "cpu", "float32")
    source = source_of(rows, engine, tmp_path / "features")
    before = logits_of(engine, source)
    parameters = add_adapter(engine, recipe)
    scramble(parameters)
    adapted = logits_of(engine, source)
    merged = tmp_path / "merged"
    merged.mkdir()
    write_merged(base, {name: value.detach() for name, value in parameters.items()}, 16 / 64, merged)
    after = logits_of(load_dense(open_checkpoint(merged), "cpu", "float32"), source)
    assert torch.allclose(adapted, after, atol=1e-4)
    assert not torch.allclose(before, after, atol=1e-1)


def test_folded_layers_give_the_gradients_of_peft(
    base: Checkpoint, rows: tuple[TrainingExample, ...], tmp_path: Path
) -> None:
    """Forbids other gradients in folded narrow layers than in PEFT's own."""
    gradients = []
    for dropout in (0.0, 1e-30):  # a dropout that drops nothing keeps PEFT's form
        engine = load_dense(base, "cpu", "float32")
        source = source_of(rows, engine, tmp_path)
        parameters = add_adapter(engine, with_lora(dropout=dropout))
        scramble(parameters)
        examples = source.examples(range(4))
        engine.model.train()
        target_loss(engine.model(**right_padded(engine, examples).arguments()).logits, examples).backward()  # type: ignore[no-untyped-call]
        gradients.append(torch.cat([value.grad.reshape(-1) for value in parameters.values() if value.grad is not None]))
    assert gradients[0].abs().max() > 0.01
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("components", "layers"),
    [
        ((Component.ATTENTION,), 2 * 4),
        ((Component.MLP, Component.HEAD), 2 * 3 + 1),
        ((Component.AUDIO_TOWER, Component.PROJECTOR), 2 * 6 + 1),
    ],
)
def test_components_choose_the_layers(base: Checkpoint, components: tuple[Component, ...], layers: int) -> None:
    """Forbids an adapter in other layers than the recipe's; counted by hand for two layers in encoder and decoder."""
    engine = load_dense(base, "cpu", "float32")
    parameters = add_adapter(engine, with_lora(components=components))
    assert len(parameters) == 2 * layers
    assert sum(value.requires_grad for value in engine.model.parameters()) == 2 * layers


def test_loss_is_that_of_transformers(base: Checkpoint, rows: tuple[TrainingExample, ...], tmp_path: Path) -> None:
    """Forbids that prompt or padding count in the loss, or that the end token does not: compared with transformers'."""
    engine = load_dense(base, "cpu", "float32")
    examples = source_of(rows, engine, tmp_path).examples([0, 2, 5])
    batch = right_padded(engine, examples)
    labels = torch.full_like(batch.input_ids, -100)
    for row, example in enumerate(examples):
        begin = len(example.prompt)
        labels[row, begin : begin + len(example.target)] = torch.tensor(example.target)
    with torch.no_grad():
        reference = engine.model(**batch.arguments(), labels=labels).loss
        ours = target_loss(engine.model(**batch.arguments()).logits, examples)
    assert float(ours) / sum(len(e.target) for e in examples) == pytest.approx(float(reference), rel=1e-5)


def run(base: Checkpoint, rows: tuple[TrainingExample, ...], recipe: FinetuneRecipe, folder: Path) -> list[float]:
    """Train and return the losses."""
    engine = load_dense(base, "cpu", recipe.training.precision)
    source = source_of(rows, engine, folder / "features", recipe)
    folder.mkdir(exist_ok=True)
    session = TrainingSession(engine, add_adapter(engine, recipe), source, recipe.training, RunFolder(folder))
    return [loss.loss for loss in train(session)]


def test_accumulation_equals_a_larger_batch(
    base: Checkpoint, rows: tuple[TrainingExample, ...], tmp_path: Path
) -> None:
    """Forbids other weights of tokens when a step is split into several passes."""
    whole = with_training(batch_size=6, max_steps=4)
    parts = with_training(batch_size=3, gradient_accumulation=2, max_steps=4)
    no_dropout = RECIPE.lora.__class__(rank=8, alpha=16, dropout=0.0, components=RECIPE.lora.components)
    losses = []
    for name, recipe in (("whole", whole), ("parts", parts)):
        adapted = FinetuneRecipe(
            **{field: getattr(recipe, field) for field in recipe.__struct_fields__} | {"lora": no_dropout}
        )
        losses.append(run(base, rows, adapted, tmp_path / name))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("changes", [{}, {"precision": TrainingPrecision.BFLOAT16, "gradient_checkpointing": True}])
def test_training_learns(
    base: Checkpoint, rows: tuple[TrainingExample, ...], tmp_path: Path, changes: dict[str, object]
) -> None:
    """Forbids training that does not reduce the loss, in float32 and in the published bfloat16."""
    losses = run(base, rows, with_training(max_steps=24, **changes), tmp_path)
    assert sum(losses[-4:]) < 0.85 * sum(losses[:4])


def test_missing_peft_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids a traceback where the extra is not installed."""
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"stcompress\[finetune\]"):
        require_peft()


def test_merged_checkpoint_is_sharded_when_large(
    base: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that a model of several weight files loses a tensor; read back by transformers."""
    monkeypatch.setattr("harness.finetune.merge._SHARD_BYTES", 200_000)
    write_merged(base, {}, 1.0, tmp_path)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    made = Qwen2AudioForConditionalGeneration.from_pretrained(tmp_path, local_files_only=True).state_dict()
    wanted = Qwen2AudioForConditionalGeneration.from_pretrained(base.path, local_files_only=True).state_dict()
    assert made.keys() == wanted.keys()
    assert all(torch.equal(made[name], tensor) for name, tensor in wanted.items())
