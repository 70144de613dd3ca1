"""Selectors: which tensors a rule of a recipe means.

Selectors combine with `&`, `|` and `~`. They look at names and shapes only; a selector that needs a stored
measurement is resolved against it when the plan is made.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.tensor import Component, TensorSpec


@dataclass(frozen=True)
class Selector:
    """A named predicate on tensors.

    Attributes:
        text: how the selector reads in a plan or an error, e.g. `linear & ~head`.
        matches: the predicate.
    """

    text: str
    matches: Callable[[TensorSpec], bool]

    def __and__(self, other: "Selector") -> "Selector":
        return Selector(f"({self.text} & {other.text})", lambda t: self.matches(t) and other.matches(t))

    def __or__(self, other: "Selector") -> "Selector":
        return Selector(f"({self.text} | {other.text})", lambda t: self.matches(t) or other.matches(t))

    def __invert__(self) -> "Selector":
        return Selector(f"~{self.text}", lambda t: not self.matches(t))

    def __str__(self) -> str:
        return self.text


def component(kind: Component) -> Selector:
    """Select the weights of one component (biases and other vectors excluded)."""
    return Selector(str(kind), lambda t: t.component is kind and len(t.shape) == 2)


def named(pattern: str) -> Selector:
    """Select by a regular expression that must match the whole canonical name."""
    compiled = re.compile(pattern)
    return Selector(f"named({pattern})", lambda t: compiled.fullmatch(t.name) is not None)


def layers(*indices: int) -> Selector:
    """Select tensors of the language model's decoder layers with these indices."""
    wanted = frozenset(indices)
    return Selector(
        f"layers({', '.join(map(str, indices))})",
        lambda t: t.name.startswith("language_model.") and t.layer in wanted,
    )


LINEAR = Selector("linear", lambda t: t.is_linear)
"""Weights of all linear layers: language model, LM head, audio tower, projector (418 in Qwen2-Audio-7B)."""
EMBEDDING = component(Component.EMBEDDING)
HEAD = component(Component.HEAD)
ATTENTION = component(Component.ATTENTION)
MLP = component(Component.MLP)
"""gate, up and down projections of the decoder layers (96 in Qwen2-Audio-7B)."""
