"""Sizes that the papers print, against plans from the exact shapes of the 7B model, without weights.

Expected sizes are the papers' own, read from `reports/published`; counts and limits were worked out by hand.
"""

from collections.abc import Mapping

import pytest

from harness.compression.codecs import Certainty, Hqq, Int8
from harness.compression.plan import resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import EMBEDDING, HEAD, LINEAR, MLP, layers
from harness.config.task import Limit, load_task
from harness.core.manifests import root
from harness.models.qwen2_audio import specs_of_config
from harness.reporting.paper_tables.published import load_published

SEVEN_B = specs_of_config(root() / "models" / "qwen2-audio-7b.json")
PUBLISHED = load_published()
GIB = 2**30
TOKENIZER = 11_000_000
"""Assumed bytes of tokenizer and configuration: tokenizer.json, vocab.json and merges.txt of Qwen2 take 11 to 12 MB."""
SELECTED = (4, 21, 22, 24)
"""The layers that Diet-KIT's table 4 names, whose MLPs are stored at 3 bits."""


def contrastive(*chosen: int) -> Recipe:
    """Diet-KIT's row 8 with the MLPs of the chosen layers at 3 bits."""
    selected = [rule(MLP & layers(*chosen), Hqq(3, 128))] if chosen else []
    return Recipe(rule(EMBEDDING, Hqq(2, 128)), *selected, rule(LINEAR, Hqq(4, 128)))


RECIPES: Mapping[str, Recipe] = {
    "hqq4-emb4": Recipe(rule(EMBEDDING, Hqq(4, 64)), rule(LINEAR, Hqq(4, 64))),
    "hqq4-emb2": Recipe(rule(EMBEDDING, Hqq(2, 64)), rule(LINEAR, Hqq(4, 64))),
    "hqq4-emb2-g128": contrastive(),
    "hqq-contrastive": contrastive(*SELECTED),
}


def weights_of(recipe: Recipe) -> int:
    """Return the exact bytes of all tensors of the 7B model under a recipe."""
    size = resolve("s", recipe, SEVEN_B).size
    assert size.certainty is Certainty.EXACT
    return size.bytes


@pytest.mark.parametrize("beside", [0, TOKENIZER], ids=["weights", "with tokenizer"])
@pytest.mark.parametrize(("system", "printed"), zip(RECIPES, ("4.41", "4.26", "4.03", "3.98"), strict=True))
def test_the_first_papers_sizes(system: str, printed: str, beside: int) -> None:
    """Forbids a codec's size, or a reading of the paper's "GB", that misses its table 1 by 0.02 GiB."""
    figure = PUBLISHED.figure("diet-kit-1", system, "size")
    assert (figure.as_printed, figure.unit, figure.printed_unit) == (printed, "GiB", "GB")
    assert abs((weights_of(RECIPES[system]) + beside) / GIB - float(printed)) < 0.02


def smallest(limit: Limit, beside: int) -> int:
    """Return the smallest number of 3-bit MLPs whose weights and other files are within the limit."""
    return next(n for n in range(33) if limit.admits(weights_of(contrastive(*range(n))) + beside))


def test_one_more_mlp_at_3_bits_saves_13_526_016_bytes() -> None:
    """Forbids a family whose members differ in more than codes.

    One projection has 4096 x 11008 weights: at 4 bits half as many bytes, 22,544,384. At 3 bits its 352,256 groups of
    128 go ten to a row of int32: 35,226 rows x 128 x 4 bytes = 18,035,712. Scales and zero points stay.
    """
    saved = {weights_of(contrastive(*range(n))) - weights_of(contrastive(*range(n + 1))) for n in (0, 1, 31)}
    assert saved == {3 * (22_544_384 - 18_035_712)} == {13_526_016}


@pytest.mark.parametrize(
    ("task", "fits", "expected"), [("iwslt2026-4gib", True, {2, 3}), ("iwslt2026-4gb", False, {24, 25})]
)
def test_the_published_system_under_both_readings_of_4_gb(task: str, fits: bool, expected: set[int]) -> None:
    """Forbids forgetting that 3.98 printed "GB" are 4.27 decimal ones: the strict limit takes 24 or 25 layers, not 4.

    Row 8 weighs W = 4.3136 GB (test above); n layers save 0.013526 n. Up to 4.294967 GB without other files: n >= 1.4,
    with 11 MB of them n >= 2.2. Below 4 GB: n >= 23.2, and n >= 24.002.
    """
    limit = load_task(task).limit
    published = weights_of(contrastive(*SELECTED))
    assert limit.admits(published) is limit.admits(published + TOKENIZER) is fits
    assert {smallest(limit, 0), smallest(limit, TOKENIZER)} == expected


def test_the_second_paper_selects_96_of_418_layers() -> None:
    """Forbids selectors that count other layers than the paper's section 4."""
    linear = [spec for spec in SEVEN_B if LINEAR.matches(spec)]
    assert (len(linear), sum(MLP.matches(spec) for spec in linear)) == (418, 96)


def test_the_second_paper_counts_linear_layers_with_biases() -> None:
    """Forbids reading its 14.436 "GB" as the whole model: they are GiB of the linear layers, biases included."""
    layers_ = {spec.name.removesuffix(".weight") for spec in SEVEN_B if LINEAR.matches(spec)}
    counted = sum(spec.nbytes for spec in SEVEN_B if spec.name.rpartition(".")[0] in layers_)
    figure = PUBLISHED.figure("selected-codec-1", "fp16-instruct", "size")
    assert figure.as_printed == f"{counted / GIB:.3f}" == "14.436"
    assert figure.scope == "the 418 linear layers with biases"


def test_the_second_papers_int8_is_a_whole_directory() -> None:
    """Forbids comparing its 9.026 with its other sizes: it holds the 16-bit embedding and LM head, and all else."""
    weights = weights_of(Recipe(rule(LINEAR & ~HEAD, Int8())))
    figure = PUBLISHED.figure("selected-codec-1", "bnb-int8", "size")
    assert (figure.as_printed, figure.scope) == ("9.026", "whole directory")
    assert round(weights / GIB, 2) == 9.03
    assert abs((weights + TOKENIZER) / GIB - 9.026) < 0.02
