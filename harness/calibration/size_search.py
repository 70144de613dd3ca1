"""The smallest number with which a family of recipes keeps the limit, found by building and weighing."""

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import msgspec

from harness.compression.build import artifact_path, build
from harness.calibration.base import Measurement, StoredRequest
from harness.compression.measurement_request import Choices
from harness.compression.codecs.base import Certainty
from harness.core.errors import UserError
from harness.compression.plan import Plan, resolve
from harness.core.progress import say
from harness.compression.recipe import Recipe, SmallestThatFits
from harness.compression.size import measure

if TYPE_CHECKING:
    from harness.calibration.context import Laboratory


class Weighed(msgspec.Struct, frozen=True):
    """A member of the family that was built.

    Attributes:
        count: its number.
        bytes: those of its artifact that count against the limit.
    """

    count: int
    bytes: int


class Fitted(Measurement, frozen=True, kw_only=True):
    """The number that was found.

    Attributes:
        count: smallest number whose artifact keeps the limit.
        weighed: the complete members that were built on the way.
    """

    count: int
    weighed: tuple[Weighed, ...]


@dataclass(frozen=True)
class Fit(StoredRequest[Fitted]):
    """Asks for the smallest member of a family that keeps the task's limit (Diet-KIT section 4.4).

    Attributes:
        system: the name under which the members are built.
        recipe: the family.
    """

    result: ClassVar[type[Measurement]] = Fitted

    system: str
    recipe: SmallestThatFits

    @property
    def title(self) -> str:
        """Names the system."""
        return f"the smallest {self.system} that keeps the limit"

    def require(self, laboratory: "Laboratory") -> None:
        """Check what the members need."""
        for request in self.recipe.needs:
            request.require(laboratory)

    def inputs(self, laboratory: "Laboratory") -> object:
        """Limit, base, and the plan of a member, which stands for the family."""
        limit = laboratory.task.limit
        plan = _resolve(laboratory, self.system, _without_waiting(self.recipe.family(1)))
        return [self.system, laboratory.fingerprint, (limit.bytes, limit.strict, limit.counts), plan.to_json()]

    def make(self, laboratory: "Laboratory", key: str) -> Fitted:
        """Build and weigh one member after the other until one fits; what cannot fit is not built.

        Raises:
            UserError: no member keeps the limit.
        """
        weighed: list[Weighed] = []
        for count in range(len(Choices(laboratory.checkpoint.specs).decoder_layers) + 1):
            recipe = self.recipe.family(count)
            if not self._may_fit(laboratory, recipe):
                continue
            plan = _resolve(laboratory, self.system, recipe)
            weighed.append(Weighed(count, _weigh(laboratory, plan)))
            if laboratory.task.limit.admits(weighed[-1].bytes):
                return Fitted(key=key, datasets=plan.datasets, count=count, weighed=tuple(weighed))
        limit = laboratory.task.limit.bytes
        raise UserError(f"No {self.system} keeps the limit of {limit:,} bytes: register one with coarser codecs.")

    def _may_fit(self, laboratory: "Laboratory", recipe: Recipe) -> bool:
        """Tell what is too large already, before anything is measured for it.

        Transforms that wait for a measurement change no shape and only add provenance, so what is too large without
        them is too large with them. Of the planned sizes only exact ones rule a member out.
        """
        rest = _without_waiting(recipe)
        plan = _resolve(laboratory, self.system, rest)
        if plan.size.certainty is Certainty.EXACT and not laboratory.task.limit.admits(plan.size.bytes):
            return False
        return rest == recipe or laboratory.task.limit.admits(_weigh_and_remove(laboratory, plan))


def _without_waiting(recipe: Recipe) -> Recipe:
    """Return the recipe without transforms that wait for a measurement."""
    return Recipe(*recipe.rules, transforms=[each for each in recipe.transforms if not each.needs])


def _resolve(laboratory: "Laboratory", system: str, recipe: Recipe) -> Plan:
    return resolve(system, recipe, laboratory.checkpoint.specs, laboratory.answer)


def _weigh_and_remove(laboratory: "Laboratory", plan: Plan) -> int:
    """Weigh what is only a step on the way, and leave no artifact that looks like the system's own."""
    counted = _weigh(laboratory, plan)
    shutil.rmtree(artifact_path(laboratory.checkpoint, plan, laboratory.role_name, laboratory.workdir))
    return counted


def _weigh(laboratory: "Laboratory", plan: Plan) -> int:
    """Build, and return the bytes that count."""
    artifact = build(laboratory.checkpoint, plan, laboratory.role_name, laboratory.workdir)
    counted = measure(artifact).counted(laboratory.task.limit)
    say(f"{plan.system}: {counted:,} bytes")
    return counted
