"""The context in which measurements are made: a checkpoint in its role, development data, and the work directory."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.compression.measurement_request import MeasurementRequest, refuse_measurement
from harness.compression.registry import System
from harness.config.language_pair import LanguagePair
from harness.config.task import Role, Task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.models.checkpoint import Checkpoint
from harness.testsets.load import load_test_set
from harness.testsets.testset import TestSet


@dataclass(frozen=True)
class MeasurementContext:
    """Makes the measurements that plans need, on a device by torch's name, and stores them in the work directory."""

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
        """Return the stored result of a measurement, or make and store it."""
        return request.measure(self)

    def require(self, system: System) -> None:
        """Check, before any work starts, that all measurements of a system are stored or can be made.

        Raises:
            UserError: development data or an optional library are missing.
        """
        for request in system.recipe().needs:
            request.require(self)

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 that identifies the bytes of the checkpoint."""
        return self.checkpoint.fingerprint(self.workdir.cache)

    def development(self) -> tuple[tuple[LanguagePair, TestSet], ...]:
        """Return the task's development sets for the role's directions.

        Raises:
            UserError: the task has none, or one has no gold segments or references.
        """
        return self._development

    @cached_property
    def _development(self) -> tuple[tuple[LanguagePair, TestSet], ...]:
        names = [(each, name) for each in self.role.directions for name in self.task.development_sets.get(each, ())]
        if not names:
            raise UserError(
                f"Task {self.task.name!r} has no development set, which measurements need: add one to its profile."
            )
        sets = tuple((self.task.directions[each], load_test_set(name, self.workdir)) for each, name in names)
        for pair, test_set in sets:
            if test_set.gold is None or pair.target not in test_set.references:
                raise UserError(
                    f"{test_set.name} has no gold segments with {pair.target_name} references: name another "
                    "development set in the task's profile."
                )
        return sets


class StoredMeasurements(MeasurementContext):
    """Returns stored measurements, and makes none."""

    def measure(self, request: MeasurementRequest[Any]) -> Any:
        """Return the stored result.

        Raises:
            UnmeasuredError: it is not stored.
        """
        stored = request.recall(self)
        return refuse_measurement(request) if stored is None else stored
