"""Recipes: a paper's rules for storing each tensor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.compression.codecs.base import Codec
from harness.compression.measurement_request import MeasurementRequest
from harness.compression.selectors import Selector
from harness.compression.transforms.base import TransformChoice


@dataclass(frozen=True)
class Rule:
    """The codec for the tensors that a selector matches."""

    selector: Selector
    codec: Codec


def rule(selector: Selector, codec: Codec) -> Rule:
    """Return a rule of a recipe."""
    return Rule(selector, codec)


@dataclass(frozen=True, init=False)
class Recipe:
    """Ordered rules, of which the first match applies. Tensors without a match are stored with 16 bits per weight.

    The transforms change the dense weights before encoding, in order.
    """

    rules: tuple[Rule, ...]
    transforms: tuple[TransformChoice, ...]

    def __init__(self, *rules: Rule, transforms: Sequence[TransformChoice] = ()) -> None:
        object.__setattr__(self, "rules", rules)
        object.__setattr__(self, "transforms", tuple(transforms))

    @property
    def needs(self) -> tuple[MeasurementRequest[Any], ...]:
        """Measurements that selectors, transforms and codecs need, in the order in which they are made."""
        parts: list[Selector | TransformChoice | Codec] = [each.selector for each in self.rules]
        parts += [*self.transforms, *(each.codec for each in self.rules)]
        return tuple(dict.fromkeys(request for part in parts for request in part.needs))


@dataclass(frozen=True)
class SmallestThatFits:
    """A family of recipes by number, of which the first one whose built artifact is within the task's limit is used.

    A larger number gives a smaller artifact, and 0 the largest.
    """

    family: Callable[[int], Recipe]

    @property
    def needs(self) -> tuple[MeasurementRequest[Any], ...]:
        """Measurements that every member of the family needs."""
        return self.family(1).needs
