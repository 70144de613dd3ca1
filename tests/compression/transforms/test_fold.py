"""harness.compression.transforms.fold: keeps the model's function, and agrees with autoawq."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from harness.calibration.awq_quantizer import import_quantizer
from harness.calibration.prefix import decoder_of
from harness.compression.plan import resolve
from harness.compression.recipe import Recipe
from harness.compression.transforms.base import WeightSource, transformed
from harness.compression.transforms.fold import FOLDS, FoldScales, scale_name
from harness.core.errors import UserError
from harness.core.files import sha256_of
from harness.core.safetensors_io import write_tensors
from harness.inference.load import load_dense
from harness.models.checkpoint import Checkpoint, open_checkpoint
from tests.helpers.tiny_model import TinyModel, write_tiny_model

LAYERS = 2
NORM = "language_model.model.layers.0.input_layernorm.weight"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return open_checkpoint(write_tiny_model(tmp_path_factory.mktemp("fold"), TinyModel(layers=LAYERS, dtype="float32")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scales")


@pytest.fixture(scope="module")
def fold(checkpoint: Checkpoint, folder: Path) -> FoldScales:
    """Return a transform with random scales between a quarter and 4."""
    shapes = {spec.name: spec.shape for spec in checkpoint.specs}
    generator = torch.Generator().manual_seed(1)
    scales = {}
    for layer in range(LAYERS):
        for place in FOLDS:
            channels = shapes[f"language_model.model.layers.{layer}.{place.readers[0]}.weight"][1]
            scales[scale_name(layer, place.name)] = 4 ** (2 * torch.rand(channels, generator=generator) - 1)
    write_tensors(folder / "key.safetensors", scales)
    return FoldScales("key", sha256_of(folder / "key.safetensors"))


def logits(checkpoint: Checkpoint, source: WeightSource) -> torch.Tensor:
    """Load the checkpoint's model with the tensors of a source, and run it in float32."""
    model = load_dense(checkpoint).model
    state = model.state_dict()
    for spec, path in zip(checkpoint.specs, _paths(checkpoint, list(state)), strict=True):
        state[path].copy_(source.tensor(spec.name))
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=torch.arange(12)[None]).logits
    return found


def _paths(checkpoint: Checkpoint, paths: list[str]) -> list[str]:
    from harness.models.qwen2_audio import canonical_name

    by_name = {canonical_name(path): path for path in paths}
    return [by_name[spec.name] for spec in checkpoint.specs]


def test_folding_alone_leaves_the_logits(checkpoint: Checkpoint, folder: Path, fold: FoldScales) -> None:
    """Forbids a fold that changes the function: logits in float32 within 1e-4, v_proj's bias included."""
    before, after = logits(checkpoint, checkpoint), logits(checkpoint, transformed(checkpoint, [fold], folder))
    assert (before - after).abs().max() <= 1e-4
    changed = transformed(checkpoint, [fold], folder).tensor("language_model.model.layers.0.self_attn.v_proj.bias")
    assert not torch.equal(changed, checkpoint.tensor("language_model.model.layers.0.self_attn.v_proj.bias"))


@pytest.mark.skipif(find_spec("awq") is None, reason="autoawq is an extra")
def test_autoawq_folds_alike(checkpoint: Checkpoint, folder: Path, fold: FoldScales) -> None:
    """Forbids results that differ from those of autoawq's apply_scale for the same scales."""
    import_quantizer()  # makes autoawq importable with this version of transformers
    apply_scale = import_module("awq.quantize.scale").apply_scale
    from harness.core.safetensors_io import open_tensor_file

    file = open_tensor_file(folder / "key.safetensors")
    ours = transformed(checkpoint, [fold], folder)
    for index, layer in enumerate(decoder_of(load_dense(checkpoint).model).layers):
        scales = [(place.name, place.readers, file.read(scale_name(index, place.name)).clone()) for place in FOLDS]
        apply_scale(layer, scales)
        for path, tensor in layer.state_dict().items():
            assert torch.allclose(ours.tensor(f"language_model.model.layers.{index}.{path}"), tensor, rtol=1e-6)


def test_scales_that_changed_are_refused(checkpoint: Checkpoint, folder: Path, fold: FoldScales) -> None:
    """Forbids building with other scales than the plan was made with."""
    other = FoldScales("key", "0" * 64)
    with pytest.raises(UserError, match="not those"):
        transformed(checkpoint, [other], folder).tensor(NORM)
    with pytest.raises(UserError, match="missing"):
        transformed(checkpoint, [FoldScales("gone", fold.sha256)], folder).tensor(NORM)


def test_what_is_folded_is_rounded_once(checkpoint: Checkpoint, fold: FoldScales) -> None:
    """Forbids norms in bfloat16 after the fold, whose 8-bit mantissa would undo the gain of the scales."""
    plan = resolve("s", Recipe(transforms=[fold]), checkpoint.specs)
    before = {spec.name: spec for spec in checkpoint.specs}
    after = {row.tensor.name: row.tensor for row in plan.assignments}
    assert after["language_model.model.layers.1.post_attention_layernorm.weight"].dtype == "float32"
    bias = "language_model.model.layers.1.self_attn.q_proj.bias"
    assert after[bias] == before[bias]
