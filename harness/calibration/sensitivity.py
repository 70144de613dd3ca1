"""Sensitivity: how much the loss moves when one part of the model is stored more coarsely (Diet-KIT section 4.4).

Starting from a parent system, the weights of one unit (a layer's MLP, or a single projection) are stored by a trial
codec, the teacher-forced cross-entropy of the development references is measured, and the unit is restored.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

import msgspec

from harness.calibration.base import Measurement, StoredRequest
from harness.calibration.development import datasets, describe, read_sentences
from harness.calibration.prefix import Prefix
from harness.compression.codecs.base import Codec
from harness.compression.registry import get_system
from harness.compression.selectors import Selector, first_ranked
from harness.core.progress import progress
from harness.inference.engine import Engine
from harness.inference.load import engine_loader
from harness.inference.prompting import Example
from harness.models.checkpoint import Checkpoint
from harness.models.qwen2_audio import canonical_name
from harness.models.tensor_spec import Component, TensorSpec

if TYPE_CHECKING:
    from harness.calibration.context import MeasurementContext


LIBRARIES = ("hqq", "numpy", "torch", "transformers")


class Granularity(StrEnum):
    """What is swapped at a time."""

    LAYER = "layer"
    PROJECTION = "projection"


class Swap(msgspec.Struct, frozen=True):
    """What happened when one unit was swapped.

    Attributes:
        unit: `layer 4`, or the canonical name of a projection.
        layer: index of the decoder layer.
        nats: per sentence, summed over its tokens.
    """

    unit: str
    layer: int
    nats: tuple[float, ...]


class SwapSummary(msgspec.Struct, frozen=True):
    """A swap in numbers.

    Attributes:
        unit: what was swapped.
        layer: index of the decoder layer.
        loss: nats per target token with the swap.
        deviation: loss with the swap minus loss without; the ranking is by its magnitude.
        standard_error: of the deviation, over sentences, which are the same with and without.
        tied_with_next: whether the next unit in the ranking is no more than one standard error of the difference away.
    """

    unit: str
    layer: int
    loss: float
    deviation: float
    standard_error: float
    tied_with_next: bool


class SensitivityTable(Measurement, frozen=True, kw_only=True):
    """The losses of a sweep.

    Attributes:
        parent: system that the sweep started from.
        trial: codec that units were swapped to, as text.
        device: torch's name of the device that it ran on.
        tokens: target tokens per sentence, the end token included.
        baseline: nats per sentence without a swap.
        swaps: in the order of the layers.
    """

    parent: str
    trial: str
    device: str
    tokens: tuple[int, ...]
    baseline: tuple[float, ...]
    swaps: tuple[Swap, ...]

    @property
    def baseline_loss(self) -> float:
        """Nats per token without a swap."""
        return math.fsum(self.baseline) / sum(self.tokens)

    @property
    def summary(self) -> tuple[SwapSummary, ...]:
        """Every swap, the least sensitive unit first."""
        ordered = sorted(self.swaps, key=lambda swap: (abs(self._deviation(swap.nats, self.baseline)[0]), swap.layer))
        rows = []
        for swap, following in zip(ordered, [*ordered[1:], None], strict=True):
            deviation, error = self._deviation(swap.nats, self.baseline)
            tied = following is not None and self._tied(swap, following)
            loss = math.fsum(swap.nats) / sum(self.tokens)
            rows.append(SwapSummary(swap.unit, swap.layer, loss, deviation, error, tied))
        return tuple(rows)

    @property
    def ranking(self) -> tuple[int, ...]:
        """Decoder layers, the least sensitive first; at the granularity of projections, by their first appearance."""
        return tuple(dict.fromkeys(row.layer for row in self.summary))

    def _tied(self, one: Swap, other: Swap) -> bool:
        difference, error = self._deviation(one.nats, other.nats)
        return abs(difference) <= error

    def _deviation(self, ones: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
        """Return the difference in nats per token and its standard error, a ratio estimator over paired sentences."""
        total, count = sum(self.tokens), len(self.tokens)
        differences = [one - other for one, other in zip(ones, others, strict=True)]
        mean = math.fsum(differences) / total
        residuals = math.fsum((d - mean * t) ** 2 for d, t in zip(differences, self.tokens, strict=True))
        return mean, math.sqrt(count / max(1, count - 1) * residuals) / total


@dataclass(frozen=True)
class Sensitivity(StoredRequest[SensitivityTable]):
    """Asks how sensitive the parts of a system are.

    Attributes:
        parent: name of the system that the sweep starts from.
        trial: codec that a unit is swapped to.
        component: which weights of a decoder layer make up a unit.
        granularity: whether a unit is all of them in a layer, or one.
    """

    result: ClassVar[type[Measurement]] = SensitivityTable
    kind: ClassVar[str] = "Sensitivity"

    parent: str
    trial: Codec
    component: Component = Component.MLP
    granularity: Granularity = Granularity.LAYER

    @property
    def title(self) -> str:
        """Names parent, component and trial."""
        return f"sensitivity of {self.parent} ({self.component} by {self.granularity}) to {self.trial!r}"

    @property
    def systems(self) -> tuple[str, ...]:
        """The parent."""
        return (self.parent,)

    def require(self, context: "MeasurementContext") -> None:
        """Check that the task has development data."""
        context.development()

    def inputs(self, context: "MeasurementContext") -> object:
        """The parent's plan, the base, the data and the settings."""
        plan = context.plan(get_system(self.parent))
        settings = [msgspec.to_builtins(self.trial), str(self.component), str(self.granularity)]
        versions = [(library, version(library)) for library in LIBRARIES]
        return [plan.to_json(), context.fingerprint, describe(context), settings, versions]

    def make(self, context: "MeasurementContext", key: str) -> SensitivityTable:
        """Sweep over the decoder layers."""
        engine = engine_loader(context.artifact(self.parent), context.device)()
        examples = [sentence.example for sentence in read_sentences(context, engine)]
        batches = by_length(examples, context.role.decoding.batch_size)
        sweep = Sweep(context.checkpoint, engine, [[examples[i] for i in batch] for batch in batches])
        order = [index for batch in batches for index in batch]
        baseline, swaps = sweep.run(self.units(context), self.trial)
        return SensitivityTable(
            key=key,
            datasets=datasets(context),
            parent=self.parent,
            trial=repr(self.trial),
            device=context.device,
            tokens=tuple(len(example.target) for example in examples),
            baseline=_in_order(baseline, order),
            swaps=tuple(Swap(unit.name, unit.layer, _in_order(nats, order)) for unit, nats in swaps),
        )

    def units(self, context: "MeasurementContext") -> list["Unit"]:
        """Return what is swapped, in the order of the layers."""
        specs = [s for s in context.checkpoint.specs if s.component is self.component and s.is_linear]
        specs.sort(key=lambda spec: (spec.layer or 0, spec.name))  # by name alone, layer 10 comes before layer 2
        if self.granularity is Granularity.PROJECTION:
            return [Unit(spec.name, spec.layer or 0, (spec,)) for spec in specs]
        layers = sorted({spec.layer for spec in specs if spec.layer is not None})
        return [Unit(f"layer {i}", i, tuple(s for s in specs if s.layer == i)) for i in layers]


def least_sensitive(count: int, request: Sensitivity) -> Selector:
    """Select the decoder layers whose swap moved the loss least."""
    return first_ranked(count, request)


@dataclass(frozen=True)
class Unit:
    """Weights that are swapped together.

    Attributes:
        name: `layer 4`, or the canonical name of a projection.
        layer: index of the decoder layer.
        specs: the weights.
    """

    name: str
    layer: int
    specs: tuple[TensorSpec, ...]


class Sweep:
    """Moves through the decoder layers; in front of each, its units are swapped one after the other.

    Args:
        checkpoint: the weights that are swapped in, by way of a codec.
        engine: the model.
        batches: sentences with their targets.
    """

    def __init__(self, checkpoint: Checkpoint, engine: Engine, batches: Sequence[Sequence[Example]]) -> None:
        self._checkpoint = checkpoint
        self._engine = engine
        self._batches = batches
        self._paths = {canonical_name(path): weight for path, weight in engine.model.named_parameters()}

    def run(self, units: Sequence[Unit], trial: Codec) -> tuple[list[float], list[tuple[Unit, list[float]]]]:
        """Return the nats of all sentences without a swap, and with each, batch by batch."""
        sentences = sum(map(len, self._batches))
        swaps: list[tuple[Unit, list[float]]] = []
        with progress("sensitivity", sentences * (2 + len(units))) as advance:
            prefix = Prefix(self._engine, self._batches, advance)
            baseline = prefix.nats()
            advance(sentences)
            for unit in sorted(units, key=lambda unit: unit.layer):
                while prefix.layer < unit.layer:
                    prefix.move_on()
                with self.swapped(unit, trial):
                    swaps.append((unit, prefix.nats()))
                advance(sentences)
        return baseline, swaps

    @contextmanager
    def swapped(self, unit: Unit, trial: Codec) -> Iterator[None]:
        """Store a unit by the trial codec inside the block."""
        kept = {spec.name: self._paths[spec.name].data for spec in unit.specs}
        try:
            for spec in unit.specs:
                dense = trial.decode(trial.encode(self._checkpoint.tensor(spec.name)), spec)
                self._paths[spec.name].data = dense.to(kept[spec.name])
            yield
        finally:
            for name, data in kept.items():
                self._paths[name].data = data


def by_length(examples: Sequence[Example], size: int) -> list[list[int]]:
    """Return positions in batches of like length, the longest first."""
    order = sorted(range(len(examples)), key=lambda i: (-len(examples[i].prompt) - len(examples[i].target), i))
    return [order[begin : begin + size] for begin in range(0, len(order), size)]


def _in_order(values: Sequence[float], order: Sequence[int]) -> tuple[float, ...]:
    by_position = dict(zip(order, values, strict=True))
    return tuple(by_position[position] for position in range(len(order)))
