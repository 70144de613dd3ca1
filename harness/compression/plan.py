"""Plans: recipes with every choice made, as a flat list in JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import msgspec

from harness.compression.codecs.base import Certainty, Codec, Size, codec_from_json
from harness.compression.codecs.raw import Raw
from harness.compression.measurement_request import (
    MeasuredTensors,
    MeasurementProvider,
    MeasurementRequest,
    refuse_measurement,
)
from harness.compression.plan_context import PlanContext
from harness.compression.recipe import Recipe
from harness.compression.selectors import Predicate
from harness.compression.transforms.base import Transform, specs_after, transform_from_json
from harness.core.errors import UserError, check_format
from harness.models.tensor_spec import TensorSpec

FORMAT = 2


class Assignment(msgspec.Struct, frozen=True):
    """One tensor, as the transforms leave it, and the codec that stores it.

    The evidence is the content keys of the measurements that the encoder reads, in the order of its requests.
    """

    tensor: TensorSpec
    codec: Codec
    evidence: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the row of the plan as JSON-ready values; without evidence, the field is omitted."""
        row = {**msgspec.to_builtins(self.tensor), "codec": msgspec.to_builtins(self.codec)}
        return {**row, "evidence": list(self.evidence)} if self.evidence else row


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """A measurement on which a choice of the plan, or an encoder, depends.

    `sha256` is the checksum of its tensors where an encoder reads them, else empty and omitted from the JSON.
    """

    title: str
    key: str
    datasets: tuple[str, ...]
    sha256: str = ""


class Plan(msgspec.Struct, frozen=True, dict=True):
    """How each tensor of one base model is stored; the plan and the weights determine the artifact's bytes.

    There is one assignment per tensor after the transforms, sorted by name. The transforms change the dense weights
    before encoding, in order.
    """

    system: str
    assignments: tuple[Assignment, ...]
    transforms: tuple[Transform, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def datasets(self) -> tuple[str, ...]:
        """Data sets of all measurements, sorted."""
        return tuple(sorted({name for each in self.evidence for name in each.datasets}))

    def checksum(self, key: str) -> str:
        """Return the sha256 of the tensors of a measurement that encoders read, given its content key.

        Raises:
            UserError: the plan does not record that measurement.
        """
        found = {each.key: each.sha256 for each in self.evidence if each.sha256}
        if key not in found:
            raise UserError(f"The plan of {self.system!r} does not record the measurement {key}: make the plan again.")
        return found[key]

    @cached_property
    def size(self) -> Size:
        """Bytes of all encoded tensors (without headers and tokenizer) and the weakest certainty among them."""
        return total_size(row.codec.size(row.tensor) for row in self.assignments)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON-ready values; `plan_from_json` reads them back."""
        return {
            "format_version": FORMAT,
            "system": self.system,
            "tensors": [row.to_json() for row in self.assignments],
            "transforms": msgspec.to_builtins(self.transforms),
            "evidence": msgspec.to_builtins(self.evidence),
        }


def total_size(sizes: Iterable[Size]) -> Size:
    """Return the sum of sizes, with the weakest certainty among them."""
    every = list(sizes)
    kinds = {size.certainty for size in every}
    weakest = next((c for c in (Certainty.ESTIMATE, Certainty.BOUND) if c in kinds), Certainty.EXACT)
    return Size(sum(size.bytes for size in every), weakest)


def plan_from_json(value: Any, what: str = "The plan") -> Plan:
    """Read back the result of `Plan.to_json`, read from JSON; `what` is the name of the file in errors.

    Raises:
        UserError: the format is newer, a codec or transform is unknown, or a field is not valid.
    """
    if not isinstance(value, dict):
        raise UserError(f"{what} is not a JSON object: make it again.")
    check_format(what, value.get("format_version"), FORMAT)
    try:
        return Plan(
            system=str(value["system"]),
            assignments=tuple(_assignment(row) for row in value["tensors"]),
            transforms=tuple(transform_from_json(each) for each in value.get("transforms", ())),
            evidence=msgspec.convert(value.get("evidence", ()), tuple[Evidence, ...]),
        )
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise UserError(f"{what} is not valid ({error}): make it again.") from error


def _assignment(row: dict[str, Any]) -> Assignment:
    fields = {name: row[name] for name in TensorSpec.__struct_fields__}
    evidence = msgspec.convert(row.get("evidence", ()), tuple[str, ...])
    return Assignment(msgspec.convert(fields, TensorSpec), codec_from_json(row["codec"]), evidence)


def resolve(
    system: str, recipe: Recipe, tensors: Sequence[TensorSpec], measure: MeasurementProvider = refuse_measurement
) -> Plan:
    """Make every choice of a system's recipe for one base model, given the specs of all tensors of the checkpoint.

    By default no measurement is available.

    Raises:
        UserError: a rule matches no tensor, so the recipe is for another architecture; or a measurement is missing.
    """
    recorder = _EvidenceRecorder(measure)
    context = PlanContext(tuple(tensors), recorder.measure)
    predicates = [each.selector.resolve(context) for each in recipe.rules]
    before = {tensor.name: _codec(tensor, recipe, predicates) for tensor in tensors}
    context = replace(context, codecs=before)
    transforms = tuple(choice.resolve(context) for choice in recipe.transforms)
    after = sorted(specs_after(tensors, transforms), key=lambda tensor: tensor.name)
    _check_rules(system, recipe, predicates, after)
    codecs = {tensor.name: _codec(tensor, recipe, predicates) for tensor in after}
    assignments = tuple(
        Assignment(tensor, codec, tuple(map(recorder.key, codec.requests(tensor, codecs))))
        for tensor, codec in zip(after, codecs.values(), strict=True)
    )
    return Plan(system, assignments, transforms, tuple(recorder.evidence))


def _check_rules(system: str, recipe: Recipe, predicates: Sequence[Predicate], tensors: Sequence[TensorSpec]) -> None:
    for number, (each, matches) in enumerate(zip(recipe.rules, predicates, strict=True), start=1):
        if not any(map(matches, tensors)):
            raise UserError(
                f"Rule {number} of system {system!r} ({each.selector}) matches no tensor of this checkpoint: "
                "is it the right base model?"
            )


def _codec(tensor: TensorSpec, recipe: Recipe, predicates: Sequence[Predicate]) -> Codec:
    """Return the codec of the first rule that matches."""
    return next((each.codec for each, matches in zip(recipe.rules, predicates, strict=True) if matches(tensor)), Raw())


class _EvidenceRecorder:
    """Forwards requests for measurements, and records their results in order."""

    def __init__(self, measure: MeasurementProvider) -> None:
        self._measure = measure
        self._keys: dict[MeasurementRequest[MeasuredTensors], str] = {}
        self.evidence: dict[Evidence, None] = {}

    def measure(self, request: MeasurementRequest[Any]) -> Any:
        """Return a measurement whose result the plan itself contains."""
        measured = self._measure(request)
        self.evidence[Evidence(request.title, measured.key, tuple(measured.datasets))] = None
        return measured

    def key(self, request: MeasurementRequest[MeasuredTensors]) -> str:
        """Return the content key of a measurement whose tensors an encoder reads."""
        if request not in self._keys:  # hundreds of tensors may share one measurement
            measured = self._measure(request)
            self.evidence[Evidence(request.title, measured.key, tuple(measured.datasets), measured.sha256)] = None
            self._keys[request] = measured.key
        return self._keys[request]
