"""Recipes: what a paper says about how each tensor is stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.compression.codecs.base import Codec
from harness.compression.measurement_request import MeasurementRequest
from harness.compression.selectors import Selector
from harness.compression.transforms.base import TransformChoice


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
    """Ordered rules; the first one that matches a tensor decides. What no rule matches stays 16 bit.

    Attributes:
        rules: the rules.
        transforms: what happens to the dense weights before they are coded, in order.
    """

    rules: tuple[Rule, ...]
    transforms: tuple[TransformChoice, ...]

    def __init__(self, *rules: Rule, transforms: Sequence[TransformChoice] = ()) -> None:
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "transforms", tuple(transforms))

    @property
    def needs(self) -> tuple[MeasurementRequest[Any], ...]:
        """Measurements that the recipe asks for, in the order in which they are made."""
        selected = [request for each in self.rules for request in each.selector.needs]
        return tuple(dict.fromkeys([*selected, *(request for each in self.transforms for request in each.needs)]))


@dataclass(frozen=True)
class SmallestThatFits:
    """A recipe with a number still open: the smallest with which the measured artifact keeps the task's limit.

    Attributes:
        family: number -> recipe; a larger number gives a smaller artifact; 0 is the largest.
    """

    family: Callable[[int], Recipe]

    @property
    def needs(self) -> tuple[MeasurementRequest[Any], ...]:
        """Measurements that every member of the family asks for."""
        return self.family(1).needs
