"""Selectors: the tensors to which a rule of a recipe applies.

Selectors combine with `&`, `|` and `~`. Most use a tensor's name and shape only; some depend on the number of layers
(`last(4)`) or on a stored measurement (`least_sensitive(4, ...)`) and are resolved when the plan is made.
"""

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from harness.compression.measurement_request import Measured, MeasurementRequest
from harness.compression.plan_context import UNMEASURED, PlanContext
from harness.core.errors import UserError
from harness.models.tensor_spec import Component, TensorSpec

Predicate = Callable[[TensorSpec], bool]


class Ranking(Measured, Protocol):
    """A measurement that ranks decoder layers."""

    @property
    def ranking(self) -> tuple[int, ...]:
        """Indices of decoder layers, the best choice first."""


@dataclass(frozen=True)
class Selector:
    """A set of tensors, named by a text such as `linear & ~head`.

    `resolve` returns the predicate for a model; it may request the measurements in `needs`.
    """

    text: str
    resolve: Callable[[PlanContext], Predicate]
    needs: tuple[MeasurementRequest[Ranking], ...] = ()

    def matches(self, tensor: TensorSpec) -> bool:
        """Whether the selector contains the tensor; only for selectors that use names and shapes alone."""
        return self.resolve(UNMEASURED)(tensor)

    def __and__(self, other: "Selector") -> "Selector":
        return self._joined("&", all, other)

    def __or__(self, other: "Selector") -> "Selector":
        return self._joined("|", any, other)

    def _joined(self, sign: str, join: Callable[[Iterable[bool]], bool], other: "Selector") -> "Selector":
        def resolve(context: PlanContext) -> Predicate:
            both = (self.resolve(context), other.resolve(context))
            return lambda tensor: join(matches(tensor) for matches in both)

        return Selector(f"({self.text} {sign} {other.text})", resolve, self.needs + other.needs)

    def __invert__(self) -> "Selector":
        def resolve(context: PlanContext) -> Predicate:
            inner = self.resolve(context)
            return lambda tensor: not inner(tensor)

        return Selector(f"~{self.text}", resolve, self.needs)

    def __str__(self) -> str:
        return self.text


def where(text: str, predicate: Predicate) -> Selector:
    """Select by a predicate on name and shape."""
    return Selector(text, lambda _context: predicate)


def component(kind: Component) -> Selector:
    """Select the weights of one component (biases and other vectors excluded)."""
    return where(str(kind), lambda t: t.component is kind and len(t.shape) == 2)


def named(pattern: str) -> Selector:
    """Select by a regular expression that matches the whole canonical name."""
    compiled = re.compile(pattern)
    return where(f"named({pattern})", lambda t: compiled.fullmatch(t.name) is not None)


def layers(*indices: int) -> Selector:
    """Select tensors of the language model's decoder layers with these indices."""
    return where(f"layers({', '.join(map(str, indices))})", _in_layers(indices))


def _in_layers(indices: Sequence[int]) -> Predicate:
    chosen = frozenset(indices)
    return lambda t: t.name.startswith("language_model.") and t.layer in chosen


def _chosen(text: str, count: int, choose: Callable[[PlanContext], Sequence[int]]) -> Selector:
    """Select decoder layers that are chosen when the plan is made."""

    def resolve(context: PlanContext) -> Predicate:
        if count > len(context.decoder_layers):
            raise UserError(
                f"{text} needs more decoder layers than the model's {len(context.decoder_layers)}: choose fewer."
            )
        return _in_layers(choose(context))

    return Selector(text, resolve)


def first(count: int) -> Selector:
    """Select the first decoder layers."""
    return _chosen(f"first({count})", count, lambda context: context.decoder_layers[:count])


def last(count: int) -> Selector:
    """Select the last decoder layers."""
    return _chosen(f"last({count})", count, lambda c: c.decoder_layers[len(c.decoder_layers) - count :])


def middle(count: int) -> Selector:
    """Select the middle decoder layers; of two equally central ranges, the earlier one."""

    def choose(context: PlanContext) -> Sequence[int]:
        return context.decoder_layers[(len(context.decoder_layers) - count) // 2 :][:count]

    return _chosen(f"middle({count})", count, choose)


def at_random(count: int, seed: int) -> Selector:
    """Select decoder layers at random, without replacement."""
    return _chosen(
        f"at_random({count}, seed={seed})",
        count,
        lambda context: random.Random(seed).sample(context.decoder_layers, count),  # noqa: S311 - not for security
    )


def first_ranked(count: int, request: MeasurementRequest[Ranking]) -> Selector:
    """Select the first decoder layers of a measured ranking."""
    text = f"first_ranked({count}, {request.title})"
    return replace(_chosen(text, count, lambda context: context.measure(request).ranking[:count]), needs=(request,))


LINEAR = where("linear", lambda t: t.is_linear)
"""Weights of all linear layers: language model, LM head, audio tower, projector (418 in Qwen2-Audio-7B)."""
EMBEDDING = component(Component.EMBEDDING)
HEAD = component(Component.HEAD)
ATTENTION = component(Component.ATTENTION)
MLP = component(Component.MLP)
"""gate, up and down projections of the decoder layers (96 in Qwen2-Audio-7B)."""
