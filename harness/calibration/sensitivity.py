"""Sensitivity: the change of the loss when one part of the model is stored by a coarser codec (Diet-KIT section 4.4).

Starting from a parent system, the weights of one unit (a layer's MLP, or a single projection) are replaced by those of
a trial codec, the teacher-forced cross-entropy of the development references is measured, and the unit is restored.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import ClassVar

import msgspec

from harness.calibration.base import Measurement, StoredRequest
from harness.calibration.context import MeasurementContext
from harness.calibration.development import datasets, describe, read_sentences
from harness.calibration.prefix import Prefix
from harness.calibration.system_artifacts import build_in, plan_system
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

LIBRARIES = ("hqq", "numpy", "torch", "transformers")


class Granularity(StrEnum):
    """The size of a unit."""

    LAYER = "layer"
    PROJECTION = "projection"


class Swap(msgspec.Struct, frozen=True):
    """The cross-entropy per sentence, summed over its tokens, with one unit of a decoder layer swapped.

    The unit is named `layer 4`, or by the canonical name of a projection.
    """

    unit: str
    layer: int
    nats: tuple[float, ...]


class SwapSummary(msgspec.Struct, frozen=True):
    """Statistics of one swap; unit and layer are as in `Swap`.

    Attributes:
        loss: nats per target token with the swap.
        deviation: loss with the swap minus loss without; the ranking is by its magnitude.
        standard_error: of the deviation, over sentences (paired).
        tied_with_next: whether the difference from the next unit in the ranking is within its standard error.
    """

    unit: str
    layer: int
    loss: float
    deviation: float
    standard_error: float
    tied_with_next: bool


class SensitivityTable(Measurement, frozen=True, kw_only=True):
    """The losses of a sweep that swaps all units of a system (the parent) to a trial codec, in the order of the layers.

    The target tokens of each sentence include the end token; the baseline is in nats per sentence without a swap.
    """

    parent: str
    trial: str
    device: str
    tokens: tuple[int, ...]
    baseline: tuple[float, ...]
    swaps: tuple[Swap, ...]

    @property
    def baseline_loss(self) -> float:
        """Loss without a swap, in nats per token."""
        return math.fsum(self.baseline) / sum(self.tokens)

    @property
    def summary(self) -> tuple[SwapSummary, ...]:
        """Statistics of every swap, the least sensitive unit first."""
        ordered = sorted(self.swaps, key=lambda swap: (abs(self._deviation(swap.nats, self.baseline)[0]), swap.layer))
        rows = []
        for swap, following in zip(ordered, [*ordered[1:], None], strict=True):
            deviation, error = self._deviation(swap.nats, self.baseline)
            gap, noise = self._deviation(swap.nats, following.nats) if following else (math.inf, 0.0)
            loss = math.fsum(swap.nats) / sum(self.tokens)
            rows.append(SwapSummary(swap.unit, swap.layer, loss, deviation, error, abs(gap) <= noise))
        return tuple(rows)

    @property
    def ranking(self) -> tuple[int, ...]:
        """Decoder layers, the least sensitive first; at the granularity of projections, by their first appearance."""
        return tuple(dict.fromkeys(row.layer for row in self.summary))

    def _deviation(self, ones: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
        """Return the difference in nats per token and its standard error, a ratio estimator over paired sentences."""
        total, count = sum(self.tokens), len(self.tokens)
        differences = [one - other for one, other in zip(ones, others, strict=True)]
        mean = math.fsum(differences) / total
        residuals = math.fsum((d - mean * t) ** 2 for d, t in zip(differences, self.tokens, strict=True))
        return mean, math.sqrt(count / max(1, count - 1) * residuals) / total


@dataclass(frozen=True)
class Sensitivity(StoredRequest[SensitivityTable]):
    """Requests the sensitivities of the units of a system, the parent, to the trial codec.

    A unit is the whole component of one decoder layer, or one projection of it, depending on the granularity.
    """

    result: ClassVar[type[Measurement]] = SensitivityTable
    kind: ClassVar[str] = "Sensitivity"

    parent: str
    trial: Codec
    component: Component = Component.MLP
    granularity: Granularity = Granularity.LAYER

    @property
    def title(self) -> str:
        """Description with parent, component and trial."""
        return f"sensitivity of {self.parent} ({self.component} by {self.granularity}) to {self.trial!r}"

    @property
    def systems(self) -> tuple[str, ...]:
        """The parent, from which the sweep starts."""
        return (self.parent,)

    def require(self, context: MeasurementContext) -> None:
        """Check that the task has development data."""
        context.development()

    def inputs(self, context: MeasurementContext) -> object:
        """Return the parent's plan, the base, the data, the settings, and the versions of the libraries."""
        plan = plan_system(context, get_system(self.parent))
        settings = [msgspec.to_builtins(self.trial), str(self.component), str(self.granularity)]
        versions = [(library, version(library)) for library in LIBRARIES]
        return [plan.to_json(), context.fingerprint, describe(context), settings, versions]

    def make(self, context: MeasurementContext, key: str) -> SensitivityTable:
        """Sweep over the decoder layers."""
        engine = engine_loader(build_in(context, self.parent), context.device)()
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

    def units(self, context: MeasurementContext) -> list["Unit"]:
        """Return the units in the order of the layers."""
        specs = [s for s in context.checkpoint.specs if s.component is self.component and s.is_linear]
        specs.sort(key=lambda spec: (spec.layer or 0, spec.name))  # by name alone, layer 10 comes before layer 2
        if self.granularity is Granularity.PROJECTION:
            return [Unit(spec.name, spec.layer or 0, (spec,)) for spec in specs]
        layers = sorted({spec.layer for spec in specs if spec.layer is not None})
        return [Unit(f"layer {i}", i, tuple(s for s in specs if s.layer == i)) for i in layers]


def least_sensitive(count: int, request: Sensitivity) -> Selector:
    """Select the decoder layers whose swap changed the loss least."""
    return first_ranked(count, request)


@dataclass(frozen=True)
class Unit:
    """Weights of a decoder layer that are swapped together, named `layer 4` or by a projection's canonical name."""

    name: str
    layer: int
    specs: tuple[TensorSpec, ...]


class Sweep:
    """Swaps the units of a model one after the other, layer by layer; trial codecs encode the checkpoint's weights."""

    def __init__(self, checkpoint: Checkpoint, engine: Engine, batches: Sequence[Sequence[Example]]) -> None:
        self._checkpoint, self._engine, self._batches = checkpoint, engine, batches
        self._paths = {canonical_name(path): weight for path, weight in engine.model.named_parameters()}

    def run(self, units: Sequence[Unit], trial: Codec) -> tuple[list[float], list[tuple[Unit, list[float]]]]:
        """Return the nats of all sentences without a swap, and with each unit swapped, in the order of the batches."""
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
        """Replace a unit's weights by those of the trial codec inside the block."""
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
    """Return the examples' indices in batches of similar length, the longest first."""
    order = sorted(range(len(examples)), key=lambda i: (-len(examples[i].prompt) - len(examples[i].target), i))
    return [order[begin : begin + size] for begin in range(0, len(order), size)]


def _in_order(values: Sequence[float], order: Sequence[int]) -> tuple[float, ...]:
    return tuple(value for _, value in sorted(zip(order, values, strict=True)))
