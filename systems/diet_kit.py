"""Diet-KIT (Liu, Koneru and Niehues, IWSLT 2026): HQQ quantisation of a fine-tuned Qwen2-Audio-7B."""

from harness.codecs import Hqq
from harness.recipe import Recipe, rule
from harness.registry import system
from harness.selectors import LINEAR


@system("fp16-untuned", role="untuned", source="Diet-KIT table 1, row 1")
def fp16_untuned() -> Recipe:
    """The untuned base model, 16 bit."""
    return Recipe()


@system("fp16-finetuned", role="finetuned", source="Diet-KIT table 1, row 2")
def fp16_finetuned() -> Recipe:
    """The fine-tuned model before any compression, 16 bit."""
    return Recipe()


@system("hqq8", role="finetuned", source="Diet-KIT table 1, row 3")
def hqq8() -> Recipe:
    """All linear layers at 8 bits, groups of 64."""
    return Recipe(rule(LINEAR, Hqq(bits=8)))


@system("hqq4", role="finetuned", source="Diet-KIT table 1, row 4")
def hqq4() -> Recipe:
    """All linear layers at 4 bits, groups of 64."""
    return Recipe(rule(LINEAR, Hqq(bits=4)))


@system("hqq3", role="finetuned", source="Diet-KIT table 1, row 5")
def hqq3() -> Recipe:
    """All linear layers at 3 bits, groups of 64: the quantisation cliff."""
    return Recipe(rule(LINEAR, Hqq(bits=3)))
