"""harness.calibration.sensitivity against full forward passes, and by hand."""

import math
from pathlib import Path

import pytest
import torch

from harness.calibration.context import MeasurementContext, StoredMeasurements
from harness.calibration.development import read_sentences
from harness.calibration.sensitivity import Granularity, Sensitivity, SensitivityTable, Swap, by_length, least_sensitive
from harness.calibration.system_artifacts import build_in
from harness.compression.build import build
from harness.compression.codecs import Hqq
from harness.compression.measurement_request import UnmeasuredError
from harness.compression.plan import resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import LINEAR, MLP
from harness.core.errors import UserError
from harness.evaluation.cross_entropy import sentence_nats
from harness.inference.load import engine_loader
from harness.models.checkpoint import open_checkpoint
from harness.models.qwen2_audio import canonical_name
from tests.helpers.contexts import tiny_context
from tests.helpers.tiny_model import TinyModel, write_tiny_model

PARENT = "hqq4-emb2-g128"
TRIAL = Hqq(bits=2, group_size=64)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> MeasurementContext:
    torch.set_num_threads(1)
    return tiny_context(tmp_path_factory.mktemp("context"))


@pytest.fixture(scope="module")
def table(context: MeasurementContext) -> SensitivityTable:
    return Sensitivity(PARENT, TRIAL).measure(context)


def whole_passes(context: MeasurementContext, swapped: tuple[str, ...]) -> list[float]:
    """Return the nats of all sentences from full forward passes of the parent with some weights swapped."""
    engine = engine_loader(build_in(context, PARENT))()
    for path, weight in engine.model.named_parameters():
        name = canonical_name(path)
        if name in swapped:
            spec = next(spec for spec in context.checkpoint.specs if spec.name == name)
            weight.data = TRIAL.decode(TRIAL.encode(context.checkpoint.tensor(name)), spec).float()
    examples = [sentence.example for sentence in read_sentences(context, engine)]
    found = [0.0] * len(examples)
    for batch in by_length(examples, 2):
        for index, nats in zip(batch, sentence_nats(engine, [examples[i] for i in batch]), strict=True):
            found[index] = nats
    return found


def mlp(layer: int) -> tuple[str, ...]:
    """Return the names of a layer's MLP weights."""
    return tuple(f"language_model.model.layers.{layer}.mlp.{part}_proj.weight" for part in ("gate", "up", "down"))


def test_cached_prefixes_give_the_losses_of_whole_passes(context: MeasurementContext, table: SensitivityTable) -> None:
    """Forbids outdated states and swaps that are not undone: full passes give the same nats within 1e-6."""
    assert table.baseline == pytest.approx(whole_passes(context, ()), rel=1e-6)
    for layer in (0, 1):
        assert table.swaps[layer].nats == pytest.approx(whole_passes(context, mlp(layer)), rel=1e-6)
    assert table.swaps[0].nats != table.baseline


def test_single_projections_can_be_swapped(context: MeasurementContext) -> None:
    """Forbids a unit of more than one projection: its losses are those of a full pass."""
    found = Sensitivity(PARENT, TRIAL, granularity=Granularity.PROJECTION).measure(context)
    by_unit = {swap.unit: swap for swap in found.swaps}
    assert len(by_unit) == 6
    assert by_unit[mlp(1)[2]].nats == pytest.approx(whole_passes(context, (mlp(1)[2],)), rel=1e-6)


def test_a_second_plan_reads_the_stored_table(context: MeasurementContext, table: SensitivityTable) -> None:
    """Forbids measuring twice, and a plan that does not record the data of its measurement."""
    recipe = Recipe(rule(MLP & least_sensitive(1, Sensitivity(PARENT, TRIAL)), TRIAL), rule(LINEAR, Hqq(4)))
    archive = StoredMeasurements(context.task, "finetuned", context.checkpoint, context.workdir)
    plan = resolve("chosen", recipe, context.checkpoint.specs, archive.measure)
    coarse = {row.tensor.layer for row in plan.assignments if row.codec == TRIAL}
    assert coarse == {table.ranking[0]}
    assert plan.datasets == ("tiny-set",)
    assert build(context.checkpoint, plan, "finetuned", context.workdir).manifest.calibration_datasets == plan.datasets


def test_what_is_not_measured_is_not_guessed(context: MeasurementContext) -> None:
    """Forbids a plan without its measurement."""
    archive = StoredMeasurements(context.task, "finetuned", context.checkpoint, context.workdir)
    recipe = Recipe(rule(MLP & least_sensitive(1, Sensitivity(PARENT, Hqq(1))), Hqq(1)))
    with pytest.raises(UnmeasuredError, match="harness build"):
        resolve("chosen", recipe, context.checkpoint.specs, archive.measure)


def test_a_task_without_development_data_says_so_first(tmp_path: Path) -> None:
    """Forbids a build that starts and then fails at its measurement."""
    from msgspec.structs import replace

    whole = tiny_context(tmp_path)
    bare = MeasurementContext(replace(whole.task, development_sets={}), "finetuned", whole.checkpoint, whole.workdir)
    with pytest.raises(UserError, match="has no development set"):
        Sensitivity(PARENT, TRIAL).require(bare)


def hand_table() -> SensitivityTable:
    """Return a table of three layers and two sentences of 1 and 3 tokens, with a baseline of 4 nats."""
    swaps = (Swap("layer 0", 0, (1.0, 7.0)), Swap("layer 1", 1, (1.0, 2.0)), Swap("layer 2", 2, (1.5, 4.5)))
    return SensitivityTable(
        key="k", datasets=("d",), parent="p", trial="t", device="cpu", tokens=(1, 3), baseline=(1.0, 3.0), swaps=swaps
    )


def test_layers_rank_by_the_magnitude_of_the_deviation() -> None:
    """Forbids ranking by the signed deviation: deviations by hand are +1, -0.25 and +0.5 nats."""
    table = hand_table()
    assert table.baseline_loss == 1.0
    assert [row.deviation for row in table.summary] == [-0.25, 0.5, 1.0]
    assert table.ranking == (1, 2, 0)


def test_the_standard_error_is_that_of_paired_sentences() -> None:
    """Forbids an error that ignores the pairing; layer 0 by hand: residuals -1 and 1, so sqrt(2 * 2) / 4."""
    error = next(row.standard_error for row in hand_table().summary if row.layer == 0)
    assert error == pytest.approx(math.sqrt(2 / 1 * (1**2 + 1**2)) / 4)


def test_ties_are_reported() -> None:
    """Forbids a ranking that does not report ties.

    By hand: layer 2 against layer 0 differs by 0.5 and -2.5 nats, -0.5 per token, error sqrt(2 * 2) / 4 = 0.5: a tie;
    layer 1 against layer 2 by -0.5 and -2.5, -0.75 per token, error sqrt(2 * 0.125) / 4 = 0.125: none.
    """
    assert {row.layer: row.tied_with_next for row in hand_table().summary} == {1: False, 2: True, 0: False}


def test_layers_are_swept_in_their_order(tmp_path: Path) -> None:
    """Forbids the order of names, in which layer 10 comes before layer 2: states cannot go back to a layer."""
    directory = write_tiny_model(tmp_path / "deep", TinyModel(layers=12, audio_layers=1))
    base = tiny_context(tmp_path / "task")
    deep = MeasurementContext(base.task, "finetuned", open_checkpoint(directory), base.workdir)
    for granularity in Granularity:
        found = [unit.layer for unit in Sensitivity(PARENT, TRIAL, granularity=granularity).units(deep)]
        assert found == sorted(found)
        assert set(found) == set(range(12))
