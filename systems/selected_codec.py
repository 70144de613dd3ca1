"""Selected-layer codec compression (IWSLT 2026): decimal rounding and Zstandard on parts of Qwen2-Audio-7B-Instruct."""

from harness.compression.codecs import Decimal, Int8
from harness.compression.recipe import Recipe, rule
from harness.compression.registry import system
from harness.compression.selectors import HEAD, LINEAR, MLP
from harness.compression.transforms import PruneNeurons


@system("fp16-instruct", role="instruct", source="selected-layer codec, table 1, row 1")
def fp16_instruct() -> Recipe:
    """The instruction-tuned model, 16 bit."""
    return Recipe()


@system("bnb-int8", role="instruct", source="selected-layer codec, table 1, row 2")
def bnb_int8() -> Recipe:
    """All linear layers except the LM head in bitsandbytes' row-wise int8, run by its 8-bit layers."""
    return Recipe(rule(LINEAR & ~HEAD, Int8()))


@system("codec-selected-q3", role="instruct", source="selected-layer codec, table 1, row 3 (primary)")
def codec_selected_q3() -> Recipe:
    """MLP projections rounded to 3 decimal places, then Zstandard level 3."""
    return Recipe(rule(MLP, Decimal(places=3)))


@system("codec-selected-q2", role="instruct", source="selected-layer codec, table 1, row 4")
def codec_selected_q2() -> Recipe:
    """MLP projections rounded to 2 decimal places, then Zstandard level 3."""
    return Recipe(rule(MLP, Decimal(places=2)))


@system("codec-global-q2", role="instruct", source="selected-layer codec, table 1, row 5")
def codec_global_q2() -> Recipe:
    """All linear layers rounded to 2 decimal places, then Zstandard level 3."""
    return Recipe(rule(LINEAR, Decimal(places=2)))


@system("codec-prune-q2", role="instruct", source="selected-layer codec, table 1, row 6")
def codec_prune_q2() -> Recipe:
    """Without the least important fifth of every MLP's neurons, otherwise as codec-selected-q2."""
    return Recipe(*codec_selected_q2().rules, transforms=[PruneNeurons(fraction=0.2)])
