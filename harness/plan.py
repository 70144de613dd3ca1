"""Plans: a recipe with every choice made, flat and as JSON."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec

from harness.codecs.base import Certainty, Codec, Size, codec_from_json
from harness.codecs.raw import Raw
from harness.errors import UserError, check_format
from harness.recipe import Recipe
from harness.tensor import TensorSpec

FORMAT = 1


class Assignment(msgspec.Struct, frozen=True):
    """One tensor and the codec that stores it."""

    tensor: TensorSpec
    codec: Codec


class Plan(msgspec.Struct, frozen=True, dict=True):
    """Which codec stores each tensor of one base model; together with the weights it determines the artifact's bytes.

    Attributes:
        system: the registered system that the plan was made for.
        assignments: one per tensor of the checkpoint, sorted by name.
    """

    system: str
    assignments: tuple[Assignment, ...]

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
        return {"format_version": FORMAT, "system": self.system, "tensors": rows}


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
        rows = [_assignment(row) for row in value["tensors"]]
        return Plan(system=str(value["system"]), assignments=tuple(rows))
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise UserError(f"{what} does not read: {error}.") from error


def _assignment(row: dict[str, Any]) -> Assignment:
    fields = {name: row[name] for name in TensorSpec.__struct_fields__}
    return Assignment(msgspec.convert(fields, TensorSpec), codec_from_json(row["codec"]))


def resolve(system: str, recipe: Recipe, tensors: Sequence[TensorSpec]) -> Plan:
    """Make every choice of a recipe for one base model.

    Args:
        system: name under which the recipe is registered.
        recipe: ordered rules.
        tensors: all tensors of the checkpoint; no data needed.

    Raises:
        UserError: a rule matches no tensor, which means that the recipe was written for another architecture.
    """
    used: Counter[int] = Counter()
    assignments = tuple(_assign(tensor, recipe, used) for tensor in sorted(tensors, key=lambda t: t.name))
    for index, unused in enumerate(recipe.rules):
        if not used[index] and not _shadowed(recipe, index, tensors):
            raise UserError(
                f"Rule {index + 1} of system {system!r} ({unused.selector}) matches no tensor of this checkpoint: "
                "is it the right base model?"
            )
    return Plan(system=system, assignments=assignments)


def _assign(tensor: TensorSpec, recipe: Recipe, used: Counter[int]) -> Assignment:
    for index, candidate in enumerate(recipe.rules):
        if candidate.selector.matches(tensor):
            used[index] += 1
            return Assignment(tensor, candidate.codec)
    return Assignment(tensor, Raw())


def _shadowed(recipe: Recipe, index: int, tensors: Sequence[TensorSpec]) -> bool:
    """Whether earlier rules took everything that this rule would match."""
    return any(recipe.rules[index].selector.matches(tensor) for tensor in tensors)
