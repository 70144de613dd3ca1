"""Recipes: what a paper says about how each tensor is stored."""

from dataclasses import dataclass

from harness.codecs.base import Codec
from harness.selectors import Selector


@dataclass(frozen=True)
class Rule:
    """Tensors that match the selector are stored by the codec."""

    selector: Selector
    codec: Codec


def rule(selector: Selector, codec: Codec) -> Rule:
    """Write a rule of a recipe."""
    return Rule(selector, codec)


@dataclass(frozen=True, init=False)
class Recipe:
    """Ordered rules; the first one that matches a tensor decides. What no rule matches stays 16 bit."""

    rules: tuple[Rule, ...]

    def __init__(self, *rules: Rule) -> None:
        object.__setattr__(self, "rules", rules)
