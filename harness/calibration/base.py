"""The base of all measurements: each is made once and stored under the content key of its inputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import msgspec

from harness.calibration.context import MeasurementContext
from harness.compression.measured_tensors import tensors_path
from harness.core.files import published, sha256_of
from harness.core.progress import log
from harness.core.safetensors_io import write_tensors
from harness.core.store import Store, StoreEntry

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
"""Format of the values. It is part of every content key, which artifacts record: a change would rename them all."""


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of every measurement: the content key of its inputs, and the data sets that it was measured on."""

    key: str
    datasets: tuple[str, ...]


M = TypeVar("M", bound=Measurement)


class StoredRequest(ABC, Generic[M]):
    """A measurement with its settings, whose result is stored in the work directory."""

    result: ClassVar[type[Measurement]]
    kind: ClassVar[str]
    """Name of the kind of measurement in every content key: if it changes, stored results are not found again."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Description for logs and provenance."""

    @property
    def effort(self) -> float:
        """Relative duration among measurements of its kind, at most 1; the longest are scheduled first."""
        return 1.0

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems that must be built before it; none by default."""
        return ()

    @abstractmethod
    def inputs(self, context: MeasurementContext) -> object:
        """Return everything on which the result depends, as JSON-ready values."""

    @abstractmethod
    def make(self, context: MeasurementContext, key: str) -> M:
        """Make the measurement, and return its result with this content key."""

    @abstractmethod
    def require(self, context: MeasurementContext) -> None:
        """Check, before any work starts, that the measurement can be made.

        Raises:
            UserError: data or an optional library that it needs are missing.
        """

    def recall(self, context: MeasurementContext) -> M | None:
        """Return the stored result, or None."""
        return self._entry(context).read()

    def measure(self, context: MeasurementContext) -> M:
        """Return the stored result, or make and store it.

        Raises:
            UserError: it cannot be made.
        """
        entry = self._entry(context)
        return entry.get(lambda: self._make(context, entry.key))

    def _make(self, context: MeasurementContext, key: str) -> M:
        self.require(context)
        log(f"measure: {self.title}")
        return self.make(context, key)

    def _entry(self, context: MeasurementContext) -> StoreEntry[M]:
        store: Store[M] = Store(self.kind, self.result, FORMAT)  # type: ignore[arg-type]  # a class variable is not generic
        return store.entry(context.workdir.measurements, self.inputs(context))


def store_tensors(context: MeasurementContext, key: str, tensors: "Mapping[str, Tensor]") -> str:
    """Store the CPU tensors of a measurement by name in the folder of measurements, and return the file's sha256."""
    path = tensors_path(context.workdir.measurements, key)
    with published(path) as temporary:
        write_tensors(temporary, tensors)
    return sha256_of(path)
