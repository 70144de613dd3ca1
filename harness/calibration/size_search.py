"""Search for the first member of a family of recipes that is within the limit, by building and measuring."""

import shutil
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from harness.calibration.base import Measurement, StoredRequest
from harness.calibration.context import MeasurementContext
from harness.compression.build import artifact_path, build
from harness.compression.codecs.base import Certainty
from harness.compression.plan import Plan, resolve
from harness.compression.plan_context import PlanContext
from harness.compression.recipe import Recipe, SmallestThatFits
from harness.compression.size import measure
from harness.core.errors import UserError
from harness.core.progress import log


class BuiltSize(msgspec.Struct, frozen=True):
    """The number of one member of the family, and the bytes of its artifact that count against the limit."""

    count: int
    bytes: int


class SizeSearchResult(Measurement, frozen=True, kw_only=True):
    """The smallest number whose artifact is within the limit, and the complete members that the search built."""

    count: int
    built: tuple[BuiltSize, ...]


@dataclass(frozen=True)
class SizeSearch(StoredRequest[SizeSearchResult]):
    """Requests the smallest number in a family whose artifact is within the task's limit (Diet-KIT section 4.4).

    The members are built under the name of the system.
    """

    result: ClassVar[type[Measurement]] = SizeSearchResult
    kind: ClassVar[str] = "Fit"  # an earlier name of this class, which is in the keys of stored results

    system: str
    recipe: SmallestThatFits

    @property
    def title(self) -> str:
        """Description with the name of the system."""
        return f"the smallest {self.system} within the limit"

    def require(self, context: MeasurementContext) -> None:
        """Check the measurements of the members."""
        for request in self.recipe.needs:
            request.require(context)

    def inputs(self, context: MeasurementContext) -> object:
        """Return the system, the base, the limit, and the plan of one member, which represents the family."""
        limit = context.task.limit
        plan = _resolve(context, self.system, _without_waiting(self.recipe.family(1)))
        return [self.system, context.fingerprint, (limit.bytes, limit.strict, limit.counts), plan.to_json()]

    def make(self, context: MeasurementContext, key: str) -> SizeSearchResult:
        """Build and measure the members in order until one is within the limit; those that cannot be are not built.

        Raises:
            UserError: no member is within the limit.
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
        raise UserError(
            f"No member of {self.system} is within the limit of {limit:,} bytes: register a system with coarser codecs."
        )

    def _may_fit(self, context: MeasurementContext, recipe: Recipe) -> bool:
        """Whether a member may be within the limit, checked before its transforms are measured.

        Transforms that need a measurement change no shape and only add provenance, so a member that is too large
        without them is too large with them. Planned sizes rule a member out only if they are exact.
        """
        rest = _without_waiting(recipe)
        plan = _resolve(context, self.system, rest)
        if plan.size.certainty is Certainty.EXACT and not context.task.limit.admits(plan.size.bytes):
            return False
        if rest == recipe:
            return True
        counted = _weigh(context, plan)
        # The artifact of an intermediate recipe would look like one of the system.
        shutil.rmtree(artifact_path(context.checkpoint, plan, context.role_name, context.workdir))
        return context.task.limit.admits(counted)


def _without_waiting(recipe: Recipe) -> Recipe:
    """Return the recipe without transforms that need a measurement."""
    return Recipe(*recipe.rules, transforms=[each for each in recipe.transforms if not each.needs])


def _resolve(context: MeasurementContext, system: str, recipe: Recipe) -> Plan:
    return resolve(system, recipe, context.checkpoint.specs, context.measure)


def _weigh(context: MeasurementContext, plan: Plan) -> int:
    """Build an artifact, and return its bytes that count against the limit."""
    counted = measure(build(context.checkpoint, plan, context.role_name, context.workdir)).counted(context.task.limit)
    log(f"{plan.system}: {counted:,} bytes")
    return counted
