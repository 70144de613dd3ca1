"""harness.compression.transforms.prune: by hand, and on a model whose output must not change."""

from pathlib import Path

import pytest
import torch

from harness.compression.build import build
from harness.compression.codecs import Decimal
from harness.compression.plan import plan_from_json, resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import MLP
from harness.compression.transforms.prune import PruneNeurons, importance, important_neurons
from harness.core.errors import UserError
from harness.core.files import read_json
from harness.core.safetensors_io import write_tensors
from harness.core.workdir import WorkDir
from harness.inference.load import engine_loader
from harness.models.checkpoint import open_checkpoint
from tests.helpers.tiny_model import write_tiny_model

HIDDEN, NEURONS = 64, 128


def test_importance_is_the_published_sum() -> None:
    """Forbids another importance than mean|gate row| + mean|up row| + mean|down column|; numbers by hand."""
    gate = torch.tensor([[1.0, -3.0], [0.0, 0.0]])
    up = torch.tensor([[2.0, 2.0], [-4.0, 0.0]])
    down = torch.tensor([[5.0, 1.0], [-7.0, 1.0]])
    assert importance(gate, up, down).tolist() == [2 + 2 + 6, 0 + 2 + 1]


def test_of_equal_neurons_the_earlier_stay() -> None:
    """Forbids a choice that depends on the sorting algorithm, and neurons out of order."""
    assert important_neurons(torch.tensor([1.0, 3.0, 1.0, 2.0, 1.0]), 3).tolist() == [0, 1, 3]


@pytest.mark.parametrize(("fraction", "neurons", "kept"), [(0.2, 11008, 8807), (0.2, 10, 8), (0.0, 7, 7), (0.5, 7, 4)])
def test_the_number_removed_is_rounded_down(fraction: float, neurons: int, kept: int) -> None:
    """Forbids removing more than the fraction: of 11008 neurons a fifth is 2201.6."""
    assert PruneNeurons(fraction).kept(neurons) == kept


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5])
def test_an_impossible_fraction_is_refused(fraction: float) -> None:
    """Forbids a model without neurons."""
    with pytest.raises(UserError, match="valid fraction"):
        PruneNeurons(fraction)


def test_dead_neurons_are_removed_without_a_trace(tmp_path: Path, workdir: WorkDir) -> None:
    """Forbids pruning that changes what the model computes when only dead neurons go."""
    directory = write_tiny_model(tmp_path / "model")
    _kill_neurons(directory, every=5)
    checkpoint = open_checkpoint(directory)
    whole = build(checkpoint, resolve("whole", Recipe(), checkpoint.specs), "r", workdir)
    pruned = build(checkpoint, resolve("p", Recipe(transforms=[PruneNeurons(0.2)]), checkpoint.specs), "r", workdir)
    config = read_json(pruned.path / "config.json")
    assert config["text_config"]["intermediate_size"] == NEURONS - NEURONS // 5
    assert pruned.manifest.parameters == whole.manifest.parameters - 2 * 3 * HIDDEN * (NEURONS // 5)
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.inference_mode():
        one, other = (engine_loader(each)().model(input_ids=ids).logits for each in (whole, pruned))
    assert torch.allclose(one, other, atol=1e-5)


def test_a_pruned_plan_survives_json_and_builds_smaller(tmp_path: Path, workdir: WorkDir) -> None:
    """Forbids a transform that is lost in artifact.json, and codecs that get the old shapes."""
    checkpoint = open_checkpoint(write_tiny_model(tmp_path / "model"))
    recipe = Recipe(rule(MLP, Decimal(places=2)), transforms=[PruneNeurons(0.25)])
    plan = resolve("p", recipe, checkpoint.specs)
    assert plan_from_json(plan.to_json()) == plan
    shapes = {row.tensor.name: row.tensor.shape for row in plan.assignments}
    assert shapes["language_model.model.layers.1.mlp.down_proj.weight"] == (HIDDEN, 96)
    assert shapes["language_model.model.layers.0.mlp.up_proj.weight"] == (96, HIDDEN)
    assert build(checkpoint, plan, "r", workdir).manifest.plan.transforms == (PruneNeurons(0.25),)


def _kill_neurons(directory: Path, every: int) -> None:
    """Set some neurons to zero, 25 of 128: a fifth, rounded down."""
    checkpoint = open_checkpoint(directory)
    tensors = {spec.name: checkpoint.tensor(spec.name).clone() for spec in checkpoint.specs}
    for name, tensor in tensors.items():
        dead = torch.arange(0, NEURONS // every * every, every)
        if name.endswith(("gate_proj.weight", "up_proj.weight")):
            tensor[dead] = 0
        elif name.endswith("down_proj.weight"):
            tensor[:, dead] = 0
    write_tensors(directory / "model.safetensors", tensors)
