"""harness.compression.selectors and harness.models.tensor_spec on the tensors of Qwen2-Audio-7B."""

import pytest

from harness.calibration import Sensitivity, least_sensitive
from harness.compression.codecs import Hqq
from harness.compression.plan_context import PlanContext
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import (
    ATTENTION,
    EMBEDDING,
    HEAD,
    LINEAR,
    MLP,
    Selector,
    at_random,
    first,
    last,
    layers,
    middle,
    named,
)
from harness.core.errors import UserError
from harness.core.manifests import root
from harness.models.qwen2_audio import specs_of_config
from harness.models.tensor_spec import Component, TensorSpec

SEVEN_B = specs_of_config(root() / "models" / "qwen2-audio-7b.json")


def matched(selector: Selector) -> list[TensorSpec]:
    """Return what a selector matches in Qwen2-Audio-7B."""
    return [spec for spec in SEVEN_B if selector.matches(spec)]


def test_the_model_is_the_published_one() -> None:
    """Forbids another model than the published one of 8,397,094,912 parameters, stored in bfloat16 (16.794 GB)."""
    assert sum(spec.numel for spec in SEVEN_B) == 8_397_094_912
    assert sum(spec.nbytes for spec in SEVEN_B) == 16_794_189_824
    assert len({spec.name for spec in SEVEN_B}) == len(SEVEN_B)


@pytest.mark.parametrize(
    ("selector", "tensors", "parameters"),
    [
        (LINEAR, 418, 7_749_500_928),  # 32 x (4 + 3) + head, 32 x (4 + 2) + projector
        (MLP, 96, 4_328_521_728),  # 32 x 3 x 4096 x 11008
        (ATTENTION, 128, 2_147_483_648),  # 32 x 4 x 4096 x 4096
        (EMBEDDING, 1, 639_107_072),  # 156032 x 4096
        (HEAD, 1, 639_107_072),
        (LINEAR & ~HEAD, 417, 7_110_393_856),
        (MLP & layers(0, 31), 6, 6 * 4096 * 11008),
        (HEAD | EMBEDDING, 2, 2 * 639_107_072),
        (MLP & HEAD, 0, 0),
    ],
    ids=str,
)
def test_selectors_count_the_published_tensors(selector: Selector, tensors: int, parameters: int) -> None:
    """Forbids a selector that takes a bias, a norm, a layer of the audio tower, or misses one of its own."""
    found = matched(selector)
    assert len(found) == tensors
    assert sum(spec.numel for spec in found) == parameters


def test_components_add_up_to_the_published_figures() -> None:
    """Forbids a tensor that is counted in a wrong component: audio tower and projector are 642,215,936 parameters."""
    sums = {kind: sum(spec.numel for spec in SEVEN_B if spec.component is kind) for kind in Component}
    assert sums[Component.AUDIO_TOWER] + sums[Component.PROJECTOR] == 642_215_936
    assert sums[Component.MLP] + sums[Component.ATTENTION] + sums[Component.NORM] == 6_476_664_832


def test_layers_are_those_of_the_language_model() -> None:
    """Forbids that `layers(3)` takes the audio tower's layer 3 as well, or layer 31."""
    names = {spec.name for spec in matched(layers(3))}
    assert "language_model.model.layers.3.mlp.up_proj.weight" in names
    assert all(name.startswith("language_model.model.layers.3.") for name in names)
    audio = next(spec for spec in SEVEN_B if spec.name == "audio_tower.layers.3.fc1.weight")
    assert audio.layer == 3
    assert audio.is_linear


def test_names_match_whole() -> None:
    """Forbids that a pattern selects a name of which it matches only a part."""
    assert len(matched(named(r"language_model\.lm_head\.weight"))) == 1
    assert not matched(named(r"lm_head"))


def test_a_selector_says_what_it_selects() -> None:
    """Forbids an error that cannot name the rule."""
    assert str(MLP & ~layers(0, 1)) == "(mlp & ~layers(0, 1))"
    assert str(HEAD | named("x")) == "(head | named(x))"


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        (first(4), {0, 1, 2, 3}),
        (last(4), {28, 29, 30, 31}),
        (middle(4), {14, 15, 16, 17}),
        (middle(3), {14, 15, 16}),
    ],
    ids=str,
)
def test_places_in_the_stack(selector: Selector, chosen: set[int]) -> None:
    """Forbids other layers than the first, last and middle ones of 32 (14.5 and 15.5 lie beside the middle)."""
    matches = (MLP & selector).resolve(PlanContext(SEVEN_B))
    assert {spec.layer for spec in SEVEN_B if matches(spec)} == chosen
    assert sum(map(matches, SEVEN_B)) == 3 * len(chosen)


def test_a_draw_is_fixed_by_its_seed() -> None:
    """Forbids a random system that differs between builds, and fewer layers than requested."""
    draws = [{s.layer for s in SEVEN_B if at_random(4, seed).resolve(PlanContext(SEVEN_B))(s)} for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert {len(draw) for draw in draws} == {4}


def test_more_layers_than_there_are_is_refused() -> None:
    """Forbids a system that silently takes all layers of a shallow model."""
    with pytest.raises(UserError, match="more decoder layers than the model's 32"):
        first(33).resolve(PlanContext(SEVEN_B))


def test_what_a_selector_needs_survives_its_combination() -> None:
    """Forbids that `&`, `|` or `~` lose a measurement, which would then be requested only in the middle of a build."""
    request = Sensitivity("hqq4", Hqq(3))
    chosen = least_sensitive(2, request)
    assert (MLP & ~(HEAD | chosen)).needs == (request,)
    assert Recipe(rule(MLP & chosen, Hqq(3)), rule(LINEAR & chosen, Hqq(4))).needs == (request,)
