"""harness.compression.plan and harness.compression.recipe: choices, sizes and the plan's JSON."""

import json
from typing import Any

import pytest

from harness.compression.codecs import Certainty, Codec, Decimal, Hqq, Int8, Raw, Size
from harness.compression.plan import Plan, plan_from_json, resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import EMBEDDING, HEAD, LINEAR, MLP, layers, named
from harness.core.errors import NewerFormatError, UserError
from harness.core.manifests import root
from harness.models.qwen2_audio import specs_of_config
from harness.models.tensor_spec import TensorSpec

SEVEN_B = specs_of_config(root() / "models" / "qwen2-audio-7b.json")
LAYER = "language_model.model.layers.{}.mlp.up_proj.weight"
TINY = (
    TensorSpec(LAYER.format(0), (8, 4), "bfloat16"),
    TensorSpec("language_model.lm_head.weight", (16, 4), "float32"),
    TensorSpec(LAYER.format(1), (8, 4), "bfloat16"),
)


def codec_of(plan: Plan, name: str) -> Codec:
    """Return the codec that a plan gives a tensor."""
    return {row.tensor.name: row.codec for row in plan.assignments}[name]


def test_hqq4_on_qwen2_audio_7b_weighs_what_the_hand_calculation_says() -> None:
    """Forbids a planned size that is off by a byte: all linear layers 4 bits in groups of 64, the rest 16 bits.

    Weights of the 418 linear layers:
        decoder attention   32 x 4 x 4096 x 4096                      = 2,147,483,648
        decoder MLP         32 x 3 x 4096 x 11008                     = 4,328,521,728
        LM head             156032 x 4096                             =   639,107,072
        audio tower         32 x (4 x 1280 x 1280 + 2 x 1280 x 5120)  =   629,145,600
        projector           4096 x 1280                               =     5,242,880
                                                                  sum = 7,749,500,928
    Codes, two a byte:                  7,749,500,928 / 2             = 3,874,750,464 bytes
    Scale and zero, 2 + 2 bytes:        7,749,500,928 / 64 x 4        =   484,343,808 bytes
    All else (embedding, norms, biases, convolutions, positions):
        (8,397,094,912 - 7,749,500,928) x 2                           = 1,295,187,968 bytes
                                                                  sum = 5,654,282,240 bytes
    """
    plan = resolve("hqq4", Recipe(rule(LINEAR, Hqq(bits=4, group_size=64))), SEVEN_B)
    assert plan.size == Size(3_874_750_464 + 484_343_808 + 1_295_187_968, Certainty.EXACT)
    assert plan.size.bytes == 5_654_282_240
    assert codec_of(plan, "language_model.model.embed_tokens.weight") == Raw()


def test_hqq3_on_qwen2_audio_7b_pads_to_ten_codes_an_int32() -> None:
    """Forbids 3 bits counted as 3/8 byte: ten groups share the int32s, and the last ones may be padding.

    Groups of 64, packed rows = ceil(groups / 10), each 64 x 4 = 256 bytes:
        4096 x 4096    262,144 groups -> 26,215 rows, 128 matrices   11008 x 4096   704,512 -> 70,452, 96
        156032 x 4096  9,986,048 -> 998,605, 1                       1280 x 1280    25,600 -> 2,560, 128
        5120 x 1280    102,400 -> 10,240, 64                         4096 x 1280    81,920 -> 8,192, 1
    """
    rows = 128 * 26_215 + 96 * 70_452 + 998_605 + 128 * 2_560 + 64 * 10_240 + 8_192
    plan = resolve("hqq3", Recipe(rule(LINEAR, Hqq(bits=3))), SEVEN_B)
    assert plan.size.bytes == rows * 256 + 484_343_808 + 1_295_187_968


def test_int8_on_qwen2_audio_7b_is_the_published_size() -> None:
    """Forbids a size other than bitsandbytes' 9.69 GB (9.026 GiB of the second paper): head and embedding 16 bit.

    7,110,393,856 codes; 4 bytes for each of the output rows, per decoder layer 4 x 4096 + 2 x 11008 + 4096, per audio
    layer 5 x 1280 + 5120, and 4096 of the projector; 2 bytes for every other weight.
    """
    rows = 32 * (5 * 4096 + 2 * 11008) + 32 * (5 * 1280 + 5120) + 4096
    plan = resolve("bnb-int8", Recipe(rule(LINEAR & ~HEAD, Int8())), SEVEN_B)
    assert plan.size.bytes == 7_110_393_856 + 4 * rows + 2 * (8_397_094_912 - 7_110_393_856)
    assert round(plan.size.bytes / 1e9, 2) == 9.69
    assert round(plan.size.bytes / 2**30, 3) == 9.025  # the paper's 9.026 counts headers and tokenizer too


def test_the_contrastive_system_weighs_what_its_paper_prints() -> None:
    """Forbids arithmetic that misses Diet-KIT's 3.97 GiB: 4 bits, embedding 2, four MLPs 3, groups of 128."""
    recipe = Recipe(
        rule(EMBEDDING, Hqq(2, 128)),
        rule(MLP & layers(1, 2, 3, 4), Hqq(3, 128)),
        rule(LINEAR, Hqq(4, 128)),
    )
    assert round(resolve("contrastive", recipe, SEVEN_B).size.bytes / 2**30, 2) == 3.97


def test_the_first_matching_rule_decides() -> None:
    """Forbids that a later rule overrides an earlier one, or that an unmatched tensor is left out."""
    plan = resolve("s", Recipe(rule(layers(1), Raw("float16")), rule(MLP, Int8())), TINY)
    assert codec_of(plan, LAYER.format(1)) == Raw("float16")
    assert codec_of(plan, LAYER.format(0)) == Int8()
    assert codec_of(plan, "language_model.lm_head.weight") == Raw()


def test_the_order_of_tensors_does_not_show() -> None:
    """Forbids a plan that depends on the order of a checkpoint's files."""
    recipe = Recipe(rule(MLP, Int8()))
    assert resolve("s", recipe, TINY) == resolve("s", recipe, TINY[::-1])
    assert [row.tensor.name for row in resolve("s", recipe, TINY).assignments] == sorted(t.name for t in TINY)


def test_a_rule_for_another_architecture_is_refused() -> None:
    """Forbids that a misspelt selector silently leaves weights at 16 bits."""
    with pytest.raises(UserError, match=r"Rule 2 of system 's' \(named\(decoder.*\)\) matches no tensor"):
        resolve("s", Recipe(rule(MLP, Int8()), rule(named(r"decoder\..*"), Int8())), TINY)


def test_a_rule_that_earlier_ones_emptied_is_no_mistake() -> None:
    """Forbids refusing `MLPs 3 bits, then all MLPs 4 bits` where the choice fell on every MLP."""
    plan = resolve("s", Recipe(rule(MLP, Raw()), rule(MLP & layers(0), Int8())), TINY)
    assert codec_of(plan, LAYER.format(0)) == Raw()


def test_a_bound_makes_the_whole_size_a_bound() -> None:
    """Forbids that a choice is decided by a sum in which one size is not exact."""
    size = resolve("s", Recipe(rule(layers(0), Decimal(2)), rule(layers(1), Int8())), TINY).size
    assert size.certainty is Certainty.BOUND
    assert size.bytes == Decimal(2).size(TINY[0]).bytes + (8 * 4 + 8 * 4) + 2 * 16 * 4


def test_json_brings_back_the_same_plan() -> None:
    """Forbids that a codec's argument and a tensor's field of one name (`dtype`) overwrite each other."""
    recipe = Recipe(rule(HEAD, Raw("bfloat16")), rule(layers(0), Hqq(2, 8)), rule(MLP, Decimal(3)))
    plan = resolve("s", recipe, TINY)
    assert plan_from_json(json.loads(json.dumps(plan.to_json()))) == plan


ROW = {"name": "a", "shape": [2], "dtype": "float32", "codec": {"codec": "raw"}}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([], "not a JSON object"),
        ({"system": "s", "tensors": []}, "no valid format_version"),
        ({"format_version": 1, "system": "s"}, "not valid .*tensors"),
        ({"format_version": 1, "system": "s", "tensors": [{"name": "a"}]}, "not valid .*shape"),
        ({"format_version": 1, "system": "s", "tensors": ["a"]}, "not valid .*indices"),
        ({"format_version": 1, "system": "s", "tensors": [ROW | {"codec": {"codec": "hqq", "bits": 7}}]}, "7-bit"),
        ({"format_version": 1, "system": "s", "tensors": [ROW | {"shape": "2"}]}, "not valid .*array"),
        ({"format_version": 1, "system": "s", "tensors": [ROW | {"evidence": 3}]}, "not valid .*array"),
        ({"format_version": 1, "tensors": [ROW]}, "not valid .*system"),
    ],
    ids=str,
)
def test_an_invalid_plan_is_refused(value: Any, sentence: str) -> None:
    """Forbids a traceback for a plan that was edited by hand."""
    with pytest.raises(UserError, match=sentence):
        plan_from_json(value)


def test_a_newer_plan_is_refused() -> None:
    """Forbids reading a plan whose meaning may have changed."""
    with pytest.raises(NewerFormatError, match="upgrade the harness"):
        plan_from_json({"format_version": 3, "system": "s", "tensors": [ROW]})
