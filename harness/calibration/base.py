"""What a measurement is: made once, stored under the key of its inputs, a file like any other from then on."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import msgspec

from harness.core.files import key_of
from harness.core.progress import log
from harness.core.record_store import FORMAT, read_measurement, write_measurement

if TYPE_CHECKING:
    from harness.calibration.context import MeasurementContext


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What every measurement states.

    Attributes:
        key: content key of its inputs.
        datasets: data sets that it was measured on.
        format_version: of the file.
    """

    key: str
    datasets: tuple[str, ...]
    format_version: int = FORMAT


M = TypeVar("M", bound=Measurement)


class StoredRequest(ABC, Generic[M]):
    """A measurement that a recipe asks for, kept in the work directory."""

    result: ClassVar[type[Measurement]]
    kind: ClassVar[str]
    """Names the kind of measurement in every content key; it never changes, or stored results are not found again."""

    @property
    @abstractmethod
    def title(self) -> str:
        """How a person calls it."""

    @property
    def effort(self) -> float:
        """How long it takes among its like, 1 at most; the longest are begun first."""
        return 1.0

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems that are built for it, if they are not there; none by default."""
        return ()

    @abstractmethod
    def inputs(self, context: "MeasurementContext") -> object:
        """Return everything that the result depends on, as JSON-ready values."""

    @abstractmethod
    def make(self, context: "MeasurementContext", key: str) -> M:
        """Measure."""

    @abstractmethod
    def require(self, context: "MeasurementContext") -> None:
        """Check that it can be made, before anything starts.

        Raises:
            UserError: data or an optional library that it needs are missing.
        """

    def key(self, context: "MeasurementContext") -> str:
        """Return the sha256 that names the result."""
        return key_of([self.kind, FORMAT, self.inputs(context)])

    def recall(self, context: "MeasurementContext") -> M | None:
        """Return the stored result, or None."""
        found: M | None = read_measurement(self._path(context, self.key(context)), self.result)  # type: ignore[assignment]
        return found

    def measure(self, context: "MeasurementContext") -> M:
        """Return the stored result, or measure and store it.

        Raises:
            UserError: it cannot be made.
        """
        stored = self.recall(context)
        if stored is not None:
            return stored
        self.require(context)
        log(f"measure: {self.title}")
        key = self.key(context)
        made = self.make(context, key)
        write_measurement(self._path(context, key), made)
        return made

    def _path(self, context: "MeasurementContext", key: str) -> Path:
        return context.workdir.measurements / f"{key}.json"
