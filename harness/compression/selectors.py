"""Selectors: which tensors a rule of a recipe means.

Selectors combine with `&`, `|` and `~`. Most look at a tensor's name and shape only; some depend on the model's depth
(`last(4)`) or on a stored measurement (`least_sensitive(4, ...)`) and are resolved when the plan is made.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from harness.compression.measurement_request import UNMEASURED, Measured, MeasurementRequest, PlanContext
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
        resolve: makes the predicate, given what is known of the model; may ask for a measurement.
        needs: the measurements that it asks for.
    """

    text: str
    resolve: Callable[[PlanContext], Predicate]
    needs: tuple[MeasurementRequest[Ranking], ...] = ()

    def matches(self, tensor: TensorSpec) -> bool:
        """Whether the tensor is meant; for selectors that look at names and shapes alone."""
        return self.resolve(UNMEASURED)(tensor)

    def __and__(self, other: "Selector") -> "Selector":
        def resolve(context: PlanContext) -> Predicate:
            left, right = self.resolve(context), other.resolve(context)
            return lambda tensor: left(tensor) and right(tensor)

        return Selector(f"({self.text} & {other.text})", resolve, self.needs + other.needs)

    def __or__(self, other: "Selector") -> "Selector":
        def resolve(context: PlanContext) -> Predicate:
            left, right = self.resolve(context), other.resolve(context)
            return lambda tensor: left(tensor) or right(tensor)

        return Selector(f"({self.text} | {other.text})", resolve, self.needs + other.needs)

    def __invert__(self) -> "Selector":
        def resolve(context: PlanContext) -> Predicate:
            inner = self.resolve(context)
            return lambda tensor: not inner(tensor)

        return Selector(f"~{self.text}", resolve, self.needs)

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


def _chosen(text: str, count: int, choose: Callable[[PlanContext], Sequence[int]]) -> Selector:
    """Select decoder layers that are chosen when the model is known."""

    def resolve(context: PlanContext) -> Predicate:
        if count > len(context.decoder_layers):
            raise UserError(f"{text} asks for more decoder layers than the model's {len(context.decoder_layers)}.")
        return _in_layers(choose(context))

    return Selector(text, resolve)


def first(count: int) -> Selector:
    """Select the first decoder layers."""
    return _chosen(f"first({count})", count, lambda context: context.decoder_layers[:count])


def last(count: int) -> Selector:
    """Select the last decoder layers."""
    return _chosen(
        f"last({count})", count, lambda context: context.decoder_layers[len(context.decoder_layers) - count :]
    )


def middle(count: int) -> Selector:
    """Select the decoder layers in the middle; of two equally central stretches, the earlier."""

    def choose(context: PlanContext) -> Sequence[int]:
        begin = (len(context.decoder_layers) - count) // 2
        return context.decoder_layers[begin : begin + count]

    return _chosen(f"middle({count})", count, choose)


def at_random(count: int, seed: int) -> Selector:
    """Select decoder layers by a seeded draw without replacement."""
    return _chosen(
        f"at_random({count}, seed={seed})",
        count,
        lambda context: random.Random(seed).sample(context.decoder_layers, count),  # noqa: S311 - a draw, no secret
    )


def first_ranked(count: int, request: MeasurementRequest[Ranking]) -> Selector:
    """Select the first decoder layers of a measured ranking."""
    chosen = _chosen(
        f"first_ranked({count}, {request.title})", count, lambda context: context.measure(request).ranking[:count]
    )
    return replace(chosen, needs=(request,))


LINEAR = where("linear", lambda t: t.is_linear)
"""Weights of all linear layers: language model, LM head, audio tower, projector (418 in Qwen2-Audio-7B)."""
EMBEDDING = component(Component.EMBEDDING)
HEAD = component(Component.HEAD)
ATTENTION = component(Component.ATTENTION)
MLP = component(Component.MLP)
"""gate, up and down projections of the decoder layers (96 in Qwen2-Audio-7B)."""
