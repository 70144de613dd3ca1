"""Plans: a recipe with every choice made, flat and as JSON."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import msgspec

from harness.compression.codecs.base import Certainty, Codec, Size, codec_from_json
from harness.compression.codecs.raw import Raw
from harness.compression.measurement_request import (
    MeasurementProvider,
    MeasurementRequest,
    PlanContext,
    refuse_measurement,
)
from harness.compression.recipe import Recipe
from harness.compression.selectors import Predicate
from harness.compression.transforms.base import Transform, specs_after, transform_from_json
from harness.core.errors import UserError, check_format
from harness.models.tensor_spec import TensorSpec

FORMAT = 2


class Assignment(msgspec.Struct, frozen=True):
    """One tensor and the codec that stores it."""

    tensor: TensorSpec
    codec: Codec


class Evidence(msgspec.Struct, frozen=True):
    """A measurement that a choice of the plan rests on.

    Attributes:
        title: what was measured.
        key: content key of the measurement.
        datasets: data sets that it was measured on.
    """

    title: str
    key: str
    datasets: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True, dict=True):
    """What becomes of each tensor of one base model; together with the weights it determines the artifact's bytes.

    Attributes:
        system: the registered system that the plan was made for.
        assignments: one per tensor, as the transforms leave it, sorted by name.
        transforms: what happens to the dense weights first, in order.
        evidence: the measurements behind the context.
    """

    system: str
    assignments: tuple[Assignment, ...]
    transforms: tuple[Transform, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def datasets(self) -> tuple[str, ...]:
        """Data sets that choices were measured on, sorted."""
        return tuple(sorted({name for each in self.evidence for name in each.datasets}))

    @cached_property
    def size(self) -> Size:
        """Bytes of all encoded tensors (no headers, no tokenizer) and the weakest certainty among them."""
        sizes = [a.codec.size(a.tensor) for a in self.assignments]
        kinds = {size.certainty for size in sizes}
        weakest = next((c for c in (Certainty.ESTIMATE, Certainty.BOUND) if c in kinds), Certainty.EXACT)
        return Size(sum(size.bytes for size in sizes), weakest)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values; `plan_from_json` reads them back."""
        rows = [{**msgspec.to_builtins(a.tensor), "codec": msgspec.to_builtins(a.codec)} for a in self.assignments]
        return {
            "format_version": FORMAT,
            "system": self.system,
            "tensors": rows,
            "transforms": msgspec.to_builtins(self.transforms),
            "evidence": msgspec.to_builtins(self.evidence),
        }


def plan_from_json(value: Any, what: str = "The plan") -> Plan:
    """Read a plan back.

    Args:
        value: what `Plan.to_json` gave, after a trip through JSON.
        what: how errors name the file.

    Raises:
        UserError: newer format, unknown codec, or rows that do not read.
    """
    if not isinstance(value, dict):
        raise UserError(f"{what} is not a JSON object.")
    check_format(what, value.get("format_version"), FORMAT)
    try:
        return Plan(
            system=str(value["system"]),
            assignments=tuple(_assignment(row) for row in value["tensors"]),
            transforms=tuple(transform_from_json(each) for each in value.get("transforms", ())),
            evidence=msgspec.convert(value.get("evidence", ()), tuple[Evidence, ...]),
        )
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise UserError(f"{what} does not read: {error}.") from error


def _assignment(row: dict[str, Any]) -> Assignment:
    fields = {name: row[name] for name in TensorSpec.__struct_fields__}
    return Assignment(msgspec.convert(fields, TensorSpec), codec_from_json(row["codec"]))


def resolve(
    system: str, recipe: Recipe, tensors: Sequence[TensorSpec], measure: MeasurementProvider = refuse_measurement
) -> Plan:
    """Make every choice of a recipe for one base model.

    Args:
        system: name under which the recipe is registered.
        recipe: ordered rules and transforms.
        tensors: all tensors of the checkpoint; no data needed.
        measure: gives the measurements that the recipe asks for; by default there are none.

    Raises:
        UserError: a rule matches no tensor, which means that the recipe was written for another architecture; or a
            measurement is not there.
    """
    recorder = _EvidenceRecorder(measure)
    context = PlanContext(tuple(tensors), recorder.measure)
    predicates = [each.selector.resolve(context) for each in recipe.rules]
    before = {tensor.name: _codec(tensor, recipe, predicates) for tensor in tensors}
    context = replace(context, codecs=before)
    transforms = tuple(choice.resolve(context) for choice in recipe.transforms)
    after = sorted(specs_after(tensors, transforms), key=lambda tensor: tensor.name)
    for number, (each, matches) in enumerate(zip(recipe.rules, predicates, strict=True), start=1):
        if not any(map(matches, after)):
            raise UserError(
                f"Rule {number} of system {system!r} ({each.selector}) matches no tensor of this checkpoint: "
                "is it the right base model?"
            )
    assignments = tuple(Assignment(tensor, _codec(tensor, recipe, predicates)) for tensor in after)
    return Plan(system, assignments, transforms, tuple(recorder.evidence))


def _codec(tensor: TensorSpec, recipe: Recipe, predicates: Sequence[Predicate]) -> Codec:
    """Return the codec of the first rule that matches."""
    for candidate, matches in zip(recipe.rules, predicates, strict=True):
        if matches(tensor):
            return candidate.codec
    return Raw()


class _EvidenceRecorder:
    """Notes the measurements that were asked for."""

    def __init__(self, measure: MeasurementProvider) -> None:
        self._measure = measure
        self.evidence: dict[Evidence, None] = {}

    def measure(self, request: MeasurementRequest[Any]) -> Any:
        measured = self._measure(request)
        self.evidence[Evidence(request.title, measured.key, tuple(measured.datasets))] = None
        return measured
