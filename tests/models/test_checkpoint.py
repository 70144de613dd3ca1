"""harness.models.checkpoint: tensors and names that are read, and errors for damaged checkpoints."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from harness.core.errors import NewerFormatError, UserError
from harness.core.safetensors_io import TensorFile
from harness.models.checkpoint import Checkpoint, open_checkpoint
from harness.models.qwen2_audio import specs_of_config
from harness.models.tensor_spec import Component
from tests.helpers.tiny_model import TinyModel, write_tiny_model

GATE = "language_model.model.layers.1.mlp.gate_proj.weight"


@pytest.fixture
def copy(tiny_directory: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_directory, tmp_path / "copy")


@pytest.fixture
def sharded_copy(sharded_directory: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sharded_directory, tmp_path / "copy")


def _rewrite(directory: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Change the tensors of a checkpoint with the reference library."""
    file = directory / "model.safetensors"
    safetensors.torch.save_file(change(safetensors.torch.load_file(file)), file)


def _edit_json(file: Path, change: Callable[[Any], Any]) -> None:
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


def test_tensors_are_those_of_the_file(tiny_checkpoint: Checkpoint, tiny_directory: Path) -> None:
    """Forbids a tensor that differs from what the reference library reads, or one that is left out."""
    reference = safetensors.torch.load_file(tiny_directory / "model.safetensors")
    assert [spec.name for spec in tiny_checkpoint.specs] == sorted(reference)
    for spec in tiny_checkpoint.specs:
        tensor = tiny_checkpoint.tensor(spec.name)
        assert torch.equal(tensor, reference[spec.name])
        assert (tuple(tensor.shape), str(tensor.dtype)) == (spec.shape, f"torch.{spec.dtype}")


def test_shards_hold_the_same_tensors(tiny_checkpoint: Checkpoint, sharded_directory: Path) -> None:
    """Forbids that the number of files changes names, types or data."""
    sharded = open_checkpoint(sharded_directory)
    assert len(sharded.weight_files) > 3
    assert sharded.specs == tiny_checkpoint.specs
    assert all(torch.equal(sharded.tensor(s.name), tiny_checkpoint.tensor(s.name)) for s in sharded.specs)


def test_names_of_transformers_5_modules_are_understood(tiny_checkpoint: Checkpoint, copy: Path) -> None:
    """Forbids that weights saved under transformers 5's module paths are missing or renamed."""

    def rename(name: str) -> str:
        if name.startswith("language_model.lm_head."):
            return name.removeprefix("language_model.")
        return "model." + name.replace("language_model.model.", "language_model.")

    _rewrite(copy, lambda tensors: {rename(name): tensor for name, tensor in tensors.items()})
    assert "model.language_model.layers.0.mlp.up_proj.weight" in safetensors.torch.load_file(copy / "model.safetensors")
    renamed = open_checkpoint(copy)
    assert renamed.specs == tiny_checkpoint.specs
    assert torch.equal(renamed.tensor(GATE), tiny_checkpoint.tensor(GATE))


def test_opening_reads_no_data(tiny_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that opening a 7B checkpoint touches its 16 GB."""
    monkeypatch.delattr(TensorFile, "read")
    assert open_checkpoint(tiny_directory).specs


def test_shapes_of_the_7b_model(tmp_path: Path) -> None:
    """Forbids wrong shapes without weights: parameter counts as published for Qwen2-Audio-7B, by component."""
    config = {
        "model_type": "qwen2_audio",
        "torch_dtype": "bfloat16",
        "audio_config": {"model_type": "qwen2_audio_encoder"},
        "text_config": {"model_type": "qwen2", "vocab_size": 156032, "intermediate_size": 11008},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    specs = specs_of_config(tmp_path / "config.json")

    def count(*components: Component) -> int:
        return sum(spec.numel for spec in specs if spec.component in components)

    assert sum(spec.numel for spec in specs) == 8_397_094_912
    assert sum(spec.is_linear for spec in specs) == 418
    assert {spec.dtype for spec in specs} == {"bfloat16"}
    assert count(Component.MLP) == 4_328_521_728
    assert count(Component.EMBEDDING) == count(Component.HEAD) == 639_107_072
    assert count(Component.AUDIO_TOWER, Component.PROJECTOR) == 642_215_936


def test_shapes_from_config_are_those_of_the_weights(tiny_checkpoint: Checkpoint, tiny_directory: Path) -> None:
    """Forbids that planning without weights sees other tensors than planning with them."""
    assert specs_of_config(tiny_directory / "config.json") == tiny_checkpoint.specs


def test_a_damaged_cache_of_specs_is_ignored(tiny_directory: Path, tmp_path: Path) -> None:
    """Forbids that a cache file which was cut or edited makes a command fail, or gives other shapes."""
    specs = open_checkpoint(tiny_directory, tmp_path).specs
    (file,) = tmp_path.rglob("*.json")
    whole = file.read_text()
    for damaged in (whole[:-9], whole.replace("[128,64]", "[64,128]")):
        assert damaged != whole
        file.write_text(damaged)
        assert open_checkpoint(tiny_directory, tmp_path).specs == specs
        assert file.read_text() == whole


def test_a_tied_head_is_the_embedding(tmp_path: Path) -> None:
    """Forbids demanding, or storing twice, a head that the configuration ties to the embedding."""
    directory = write_tiny_model(tmp_path, TinyModel(tied=True))
    names = {spec.name for spec in open_checkpoint(directory).specs}
    assert "language_model.model.embed_tokens.weight" in names
    assert "language_model.lm_head.weight" not in names

    _rewrite(
        directory,
        lambda t: {**t, "language_model.lm_head.weight": t["language_model.model.embed_tokens.weight"].clone()},
    )
    assert {spec.name for spec in open_checkpoint(directory).specs} == names


def test_data_sets_are_read_or_unknown(tiny_checkpoint: Checkpoint, copy: Path) -> None:
    """Forbids that a checkpoint without a training record looks like one without training data."""
    assert tiny_checkpoint.datasets == ("tiny-set",)
    (copy / "training.json").unlink()
    assert open_checkpoint(copy).datasets == ("unknown",)
    (copy / "training.json").write_text('{"format_version": 2, "datasets": []}')
    with pytest.raises(NewerFormatError, match="upgrade the harness"):
        open_checkpoint(copy)


def test_companions_are_what_ships(tiny_checkpoint: Checkpoint) -> None:
    """Forbids shipping weights or the training record as companions, or forgetting the tokenizer."""
    names = {path.name for path in tiny_checkpoint.companions}
    assert {"config.json", "tokenizer.json", "preprocessor_config.json", "chat_template.jinja"} <= names
    assert not names & {"model.safetensors", "training.json"}


def test_fingerprint_covers_weights_and_companions(copy: Path, tmp_path: Path) -> None:
    """Forbids that two checkpoints which differ in one byte share a fingerprint."""
    prints = {open_checkpoint(copy).fingerprint(tmp_path / "cache")}
    for name in ("model.safetensors", "tokenizer.json", "generation_config.json"):
        data = bytearray((copy / name).read_bytes())
        data[-3] ^= 1
        (copy / name).write_bytes(data)
        prints.add(open_checkpoint(copy).fingerprint(tmp_path / "cache"))
    assert len(prints) == 4


def _cut(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])


def _poison(value: float) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    def change(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        tensors[GATE][-1, -1] = value
        return tensors

    return change


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_not_finite_is_refused(copy: Path, value: float) -> None:
    """Forbids compressing NaN or infinity, even in the last element alone; the error names file and tensor."""
    _rewrite(copy, _poison(value))
    checkpoint = open_checkpoint(copy)
    with pytest.raises(UserError, match=rf"model\.safetensors.*{GATE}.*NaN or infinity"):
        checkpoint.tensor(GATE)


def _remove(*names: str) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        for name in names:
            (directory / name).unlink()

    return damage


def _pickle_only(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    (directory / "pytorch_model.bin").write_bytes(b"cposix\nsystem\n(S'touch hacked'\ntR.")


def _wrong_shape(directory: Path) -> None:
    _rewrite(directory, lambda t: {**t, GATE: t[GATE][:-1].contiguous()})


def _wrong_type(directory: Path) -> None:
    _rewrite(directory, lambda t: {**t, GATE: t[GATE].to(torch.int8)})


def _missing_tensor(directory: Path) -> None:
    _rewrite(directory, lambda t: {name: tensor for name, tensor in t.items() if name != GATE})


def _unknown_tensor(directory: Path) -> None:
    _rewrite(directory, lambda t: {**t, "ctc_head.weight": torch.zeros(2, 2)})


def _twice(directory: Path) -> None:
    _rewrite(directory, lambda t: {**t, "model.multi_modal_projector.linear.bias": torch.zeros(64)})


def _other_model(directory: Path) -> None:
    _edit_json(directory / "config.json", lambda value: value.update(model_type="whisper"))


DAMAGES = [
    pytest.param(shutil.rmtree, "is not a checkpoint directory", id="no-directory"),
    pytest.param(_remove("config.json"), "has no config.json", id="no-config"),
    pytest.param(_remove("tokenizer.json", "vocab.json"), "has no tokenizer", id="no-tokenizer"),
    pytest.param(
        _remove("preprocessor_config.json", "processor_config.json"), "has no audio processor", id="no-processor"
    ),
    pytest.param(_remove("model.safetensors"), "holds no weights", id="no-weights"),
    pytest.param(_pickle_only, r"only pickled weights \(pytorch_model.bin\)", id="pickle-only"),
    pytest.param(lambda d: _cut(d / "model.safetensors", 100_000), r"model\.safetensors is truncated", id="cut-data"),
    pytest.param(lambda d: _cut(d / "model.safetensors", 100), r"model\.safetensors is truncated", id="cut-header"),
    pytest.param(lambda d: _cut(d / "model.safetensors", 0), r"model\.safetensors is not", id="empty"),
    pytest.param(_wrong_shape, rf"{GATE} has shape \(127, 64\), but config.json says \(128, 64\)", id="wrong-shape"),
    pytest.param(_wrong_type, rf"{GATE} is stored as I8", id="wrong-type"),
    pytest.param(_missing_tensor, f"lacks 1 tensors, the first is {GATE}", id="missing-tensor"),
    pytest.param(_unknown_tensor, "not in its config.json, the first is ctc_head.weight", id="unknown-tensor"),
    pytest.param(_twice, r"multi_modal_projector\.linear\.bias twice", id="twice-under-two-names"),
    pytest.param(_other_model, "model type 'whisper'", id="other-architecture"),
    pytest.param(lambda d: (d / "config.json").write_text("{"), "not valid JSON", id="config-not-json"),
    pytest.param(lambda d: (d / "training.json").write_text("[]"), "states no valid format", id="training-not-object"),
]


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES)
def test_damage_gets_one_sentence(copy: Path, damage: Callable[[Path], object], sentence: str) -> None:
    """Forbids a traceback, acceptance or an executed pickle for a damaged checkpoint."""
    damage(copy)
    with pytest.raises(UserError, match=sentence) as error:
        open_checkpoint(copy)
    assert str(error.value).endswith(".")
    assert ": " in str(error.value)
    assert not list(copy.glob("hacked"))


def _index(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    return lambda directory: _edit_json(
        directory / "model.safetensors.index.json", lambda value: change(value["weight_map"])
    )


SHARD_DAMAGES = [
    pytest.param(
        _remove("model-00002-of-00005.safetensors"), "model-00002-of-00005.safetensors is missing", id="missing"
    ),
    pytest.param(
        lambda d: _cut(d / "model-00002-of-00005.safetensors", 9_000),
        "00002-of-00005.safetensors is truncated",
        id="cut",
    ),
    pytest.param(_index(lambda m: m.update({GATE: "../x.safetensors"})), "not a safetensors file beside", id="outside"),
    pytest.param(_index(lambda m: m.update({GATE: "weights.bin"})), "not a safetensors file beside", id="pickle"),
    pytest.param(_index(lambda m: m.update({GATE: 3})), "is not a valid index", id="not-a-name"),
]


@pytest.mark.parametrize(("damage", "sentence"), SHARD_DAMAGES)
def test_damaged_shards_get_one_sentence(sharded_copy: Path, damage: Callable[[Path], None], sentence: str) -> None:
    """Forbids a traceback or acceptance for damaged shards, and shards outside the directory."""
    damage(sharded_copy)
    with pytest.raises(UserError, match=sentence):
        open_checkpoint(sharded_copy)
