"""Selectors: which tensors a rule of a recipe means.

Selectors combine with `&`, `|` and `~`. Most look at a tensor's name and shape only; some depend on the model's depth
(`last(4)`) or on a stored measurement (`least_sensitive(4, ...)`) and are settled when the plan is made.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from harness.compression.measurement_request import UNMEASURED, Choices, Measured, Request
from harness.core.errors import UserError
from harness.models.tensor_spec import Component, TensorSpec

Predicate = Callable[[TensorSpec], bool]


class Ranking(Measured, Protocol):
    """A measurement that puts decoder layers into an order."""

    @property
    def ranking(self) -> tuple[int, ...]:
        """Indices of decoder layers, the best choice first."""


@dataclass(frozen=True)
class Selector:
    """A named set of tensors.

    Attributes:
        text: how the selector reads in a plan or an error, e.g. `linear & ~head`.
        settle: makes the predicate, given what is known of the model; may ask for a measurement.
        needs: the measurements that it asks for.
    """

    text: str
    settle: Callable[[Choices], Predicate]
    needs: tuple[Request[Ranking], ...] = ()

    def matches(self, tensor: TensorSpec) -> bool:
        """Whether the tensor is meant; for selectors that look at names and shapes alone."""
        return self.settle(UNMEASURED)(tensor)

    def __and__(self, other: "Selector") -> "Selector":
        def settle(choices: Choices) -> Predicate:
            left, right = self.settle(choices), other.settle(choices)
            return lambda tensor: left(tensor) and right(tensor)

        return Selector(f"({self.text} & {other.text})", settle, self.needs + other.needs)

    def __or__(self, other: "Selector") -> "Selector":
        def settle(choices: Choices) -> Predicate:
            left, right = self.settle(choices), other.settle(choices)
            return lambda tensor: left(tensor) or right(tensor)

        return Selector(f"({self.text} | {other.text})", settle, self.needs + other.needs)

    def __invert__(self) -> "Selector":
        def settle(choices: Choices) -> Predicate:
            inner = self.settle(choices)
            return lambda tensor: not inner(tensor)

        return Selector(f"~{self.text}", settle, self.needs)

    def __str__(self) -> str:
        return self.text


def where(text: str, predicate: Predicate) -> Selector:
    """Select by a predicate on name and shape."""
    return Selector(text, lambda _choices: predicate)


def component(kind: Component) -> Selector:
    """Select the weights of one component (biases and other vectors excluded)."""
    return where(str(kind), lambda t: t.component is kind and len(t.shape) == 2)


def named(pattern: str) -> Selector:
    """Select by a regular expression that must match the whole canonical name."""
    compiled = re.compile(pattern)
    return where(f"named({pattern})", lambda t: compiled.fullmatch(t.name) is not None)


def layers(*indices: int) -> Selector:
    """Select tensors of the language model's decoder layers with these indices."""
    return where(f"layers({', '.join(map(str, indices))})", _in_layers(indices))


def _in_layers(indices: Sequence[int]) -> Predicate:
    wanted = frozenset(indices)
    return lambda t: t.name.startswith("language_model.") and t.layer in wanted


def _chosen(text: str, count: int, choose: Callable[[Choices], Sequence[int]]) -> Selector:
    """Select decoder layers that are chosen when the model is known."""

    def settle(choices: Choices) -> Predicate:
        if count > len(choices.decoder_layers):
            raise UserError(f"{text} asks for more decoder layers than the model's {len(choices.decoder_layers)}.")
        return _in_layers(choose(choices))

    return Selector(text, settle)


def first(count: int) -> Selector:
    """Select the first decoder layers."""
    return _chosen(f"first({count})", count, lambda choices: choices.decoder_layers[:count])


def last(count: int) -> Selector:
    """Select the last decoder layers."""
    return _chosen(
        f"last({count})", count, lambda choices: choices.decoder_layers[len(choices.decoder_layers) - count :]
    )


def middle(count: int) -> Selector:
    """Select the decoder layers in the middle; of two equally central stretches, the earlier."""

    def choose(choices: Choices) -> Sequence[int]:
        begin = (len(choices.decoder_layers) - count) // 2
        return choices.decoder_layers[begin : begin + count]

    return _chosen(f"middle({count})", count, choose)


def at_random(count: int, seed: int) -> Selector:
    """Select decoder layers by a seeded draw without replacement."""
    return _chosen(
        f"at_random({count}, seed={seed})",
        count,
        lambda choices: random.Random(seed).sample(choices.decoder_layers, count),  # noqa: S311 - a draw, no secret
    )


def first_ranked(count: int, request: Request[Ranking]) -> Selector:
    """Select the first decoder layers of a measured ranking."""
    chosen = _chosen(
        f"first_ranked({count}, {request.title})", count, lambda choices: choices.answer(request).ranking[:count]
    )
    return replace(chosen, needs=(request,))


LINEAR = where("linear", lambda t: t.is_linear)
"""Weights of all linear layers: language model, LM head, audio tower, projector (418 in Qwen2-Audio-7B)."""
EMBEDDING = component(Component.EMBEDDING)
HEAD = component(Component.HEAD)
ATTENTION = component(Component.ATTENTION)
MLP = component(Component.MLP)
"""gate, up and down projections of the decoder layers (96 in Qwen2-Audio-7B)."""
