"""Where measurements are made: one checkpoint in its role, the task's development data, and a place to store."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.calibration.size_search import SizeSearch
from harness.compression.artifact import Artifact
from harness.compression.build import build
from harness.compression.measurement_request import MeasurementRequest, refuse_measurement
from harness.compression.plan import Plan, resolve
from harness.compression.recipe import SmallestThatFits
from harness.compression.registry import System, get_system
from harness.config.language_pair import LanguagePair
from harness.config.task import Role, Task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.models.checkpoint import Checkpoint
from harness.testsets.load import load_test_set
from harness.testsets.testset import TestSet


@dataclass(frozen=True)
class MeasurementContext:
    """Makes the measurements that plans ask for, and remembers them.

    Attributes:
        task: the development sets, the prompts and the limit.
        role_name: which part the checkpoint plays.
        checkpoint: the base weights.
        workdir: the store.
        device: torch's name of the device that models run on.
    """

    task: Task
    role_name: str
    checkpoint: Checkpoint
    workdir: WorkDir
    device: str = "cpu"

    @property
    def role(self) -> Role:
        """The task's settings for the role."""
        return self.task.role(self.role_name)

    def measure(self, request: MeasurementRequest[Any]) -> Any:
        """Return the result of a measurement, stored or made now."""
        return request.measure(self)

    def plan(self, system: System) -> Plan:
        """Make every choice of a system.

        Raises:
            UserError: the recipe does not suit the checkpoint, or a measurement cannot be had.
        """
        recipe = system.recipe()
        if isinstance(recipe, SmallestThatFits):
            recipe = recipe.family(self.measure(SizeSearch(system.name, recipe)).count)
        return resolve(system.name, recipe, self.checkpoint.specs, self.measure)

    def require(self, system: System) -> None:
        """Check, before anything starts, that everything is there which the system's measurements need.

        Raises:
            UserError: development data or an optional library are missing.
        """
        for request in system.recipe().needs:
            request.require(self)

    def artifact(self, name: str) -> Artifact:
        """Build another system of the same role, or return the artifact that is there.

        Raises:
            UserError: it has another role, or cannot be built.
        """
        system = get_system(name)
        if system.role != self.role_name:
            raise UserError(f"{name} compresses the {system.role} checkpoint, not {self.role_name}: name another one.")
        return build(self.checkpoint, self.plan(system), self.role_name, self.workdir)

    @cached_property
    def fingerprint(self) -> str:
        """Names the bytes of the checkpoint."""
        return self.checkpoint.fingerprint(self.workdir.cache)

    def development(self) -> tuple[tuple[LanguagePair, TestSet], ...]:
        """Return the task's development sets for the role's directions.

        Raises:
            UserError: there are none, or one has no gold segments or references.
        """
        return self._development

    @cached_property
    def _development(self) -> tuple[tuple[LanguagePair, TestSet], ...]:
        names = [(each, name) for each in self.role.directions for name in self.task.development_sets.get(each, ())]
        if not names:
            raise UserError(f"Task {self.task.name!r} names no development set, on which choices could be measured.")
        sets = tuple((self.task.directions[each], load_test_set(name, self.workdir)) for each, name in names)
        for pair, test_set in sets:
            if test_set.gold is None or pair.target not in test_set.references:
                raise UserError(f"{test_set.name} has no gold segments with {pair.target_name} references.")
        return sets


class StoredMeasurements(MeasurementContext):
    """Answers from what is stored, and measures nothing."""

    def measure(self, request: MeasurementRequest[Any]) -> Any:
        """Return the stored result.

        Raises:
            UnmeasuredError: there is none.
        """
        stored = request.recall(self)
        return refuse_measurement(request) if stored is None else stored
