"""The smallest number with which a family of recipes keeps the limit, found by building and weighing."""

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec

from harness.calibration.base import Measurement, StoredRequest
from harness.compression.build import artifact_path, build
from harness.compression.codecs.base import Certainty
from harness.compression.measurement_request import PlanContext
from harness.compression.plan import Plan, resolve
from harness.compression.recipe import Recipe, SmallestThatFits
from harness.compression.size import measure
from harness.core.errors import UserError
from harness.core.progress import log

if TYPE_CHECKING:
    from harness.calibration.context import MeasurementContext


class BuiltSize(msgspec.Struct, frozen=True):
    """A member of the family that was built.

    Attributes:
        count: its number.
        bytes: those of its artifact that count against the limit.
    """

    count: int
    bytes: int


class SizeSearchResult(Measurement, frozen=True, kw_only=True):
    """The number that was found.

    Attributes:
        count: smallest number whose artifact keeps the limit.
        built: the complete members that were built on the way.
    """

    count: int
    built: tuple[BuiltSize, ...]


@dataclass(frozen=True)
class SizeSearch(StoredRequest[SizeSearchResult]):
    """Asks for the smallest member of a family that keeps the task's limit (Diet-KIT section 4.4).

    Attributes:
        system: the name under which the members are built.
        recipe: the family.
    """

    result: ClassVar[type[Measurement]] = SizeSearchResult
    kind: ClassVar[str] = "Fit"

    system: str
    recipe: SmallestThatFits

    @property
    def title(self) -> str:
        """Names the system."""
        return f"the smallest {self.system} that keeps the limit"

    def require(self, context: "MeasurementContext") -> None:
        """Check what the members need."""
        for request in self.recipe.needs:
            request.require(context)

    def inputs(self, context: "MeasurementContext") -> object:
        """Limit, base, and the plan of a member, which stands for the family."""
        limit = context.task.limit
        plan = _resolve(context, self.system, _without_waiting(self.recipe.family(1)))
        return [self.system, context.fingerprint, (limit.bytes, limit.strict, limit.counts), plan.to_json()]

    def make(self, context: "MeasurementContext", key: str) -> SizeSearchResult:
        """Build and weigh one member after the other until one fits; what cannot fit is not built.

        Raises:
            UserError: no member keeps the limit.
        """
        built: list[BuiltSize] = []
        for count in range(len(PlanContext(context.checkpoint.specs).decoder_layers) + 1):
            recipe = self.recipe.family(count)
            if not self._may_fit(context, recipe):
                continue
            plan = _resolve(context, self.system, recipe)
            built.append(BuiltSize(count, _weigh(context, plan)))
            if context.task.limit.admits(built[-1].bytes):
                return SizeSearchResult(key=key, datasets=plan.datasets, count=count, built=tuple(built))
        limit = context.task.limit.bytes
        raise UserError(f"No {self.system} keeps the limit of {limit:,} bytes: register one with coarser codecs.")

    def _may_fit(self, context: "MeasurementContext", recipe: Recipe) -> bool:
        """Tell what is too large already, before anything is measured for it.

        Transforms that wait for a measurement change no shape and only add provenance, so what is too large without
        them is too large with them. Of the planned sizes only exact ones rule a member out.
        """
        rest = _without_waiting(recipe)
        plan = _resolve(context, self.system, rest)
        if plan.size.certainty is Certainty.EXACT and not context.task.limit.admits(plan.size.bytes):
            return False
        return rest == recipe or context.task.limit.admits(_weigh_and_remove(context, plan))


def _without_waiting(recipe: Recipe) -> Recipe:
    """Return the recipe without transforms that wait for a measurement."""
    return Recipe(*recipe.rules, transforms=[each for each in recipe.transforms if not each.needs])


def _resolve(context: "MeasurementContext", system: str, recipe: Recipe) -> Plan:
    return resolve(system, recipe, context.checkpoint.specs, context.measure)


def _weigh_and_remove(context: "MeasurementContext", plan: Plan) -> int:
    """Weigh what is only a step on the way, and leave no artifact that looks like the system's own."""
    counted = _weigh(context, plan)
    shutil.rmtree(artifact_path(context.checkpoint, plan, context.role_name, context.workdir))
    return counted


def _weigh(context: "MeasurementContext", plan: Plan) -> int:
    """Build, and return the bytes that count."""
    artifact = build(context.checkpoint, plan, context.role_name, context.workdir)
    counted = measure(artifact).counted(context.task.limit)
    log(f"{plan.system}: {counted:,} bytes")
    return counted
