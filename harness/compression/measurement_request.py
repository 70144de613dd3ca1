"""Requests for measurements: what a recipe leaves open until calibration has measured it."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from harness.core.errors import UserError


class Measured(Protocol):
    """The part of a measurement's result that a plan records."""

    @property
    def key(self) -> str:
        """Content key."""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Data sets that it was measured on."""


class MeasuredTensors(Measured, Protocol):
    """A measurement whose result is a file of tensors, `<key>.safetensors` in the folder of measurements."""

    @property
    def sha256(self) -> str:
        """Checksum of that file, 64 hex digits."""


Measured_co = TypeVar("Measured_co", bound=Measured, covariant=True)


class MeasurementRequest(Protocol[Measured_co]):
    """A measurement with its settings, before it is made; `harness.calibration` implements the kinds.

    Requests are hashable: equal requests are measured once.
    """

    @property
    def title(self) -> str:
        """Description for logs and provenance, e.g. `sensitivity of hqq4-emb2-g128 to hqq(bits=3)`."""

    @property
    def effort(self) -> float:
        """Relative duration among measurements of its kind, at most 1; the longest are scheduled first."""

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems that must be built before it."""

    def measure(self, context: Any) -> Measured_co:
        """Return the stored measurement, or make and store it."""

    def recall(self, context: Any) -> Measured_co | None:
        """Return the stored measurement, or None."""

    def require(self, context: Any) -> None:
        """Check, before any work starts, that the measurement is stored or can be made.

        Raises:
            UserError: data or an optional library that it needs are missing.
        """


MeasurementProvider = Callable[[MeasurementRequest[Any]], Any]
"""Returns the result of a measurement, given its request."""


class UnmeasuredError(UserError):
    """A plan needs a measurement that is not stored, in a context that makes none."""


def refuse_measurement(request: MeasurementRequest[Any]) -> Any:
    """Raise an error for every request: the provider of contexts without measurements.

    Raises:
        UnmeasuredError: always.
    """
    raise UnmeasuredError(
        f"The plan needs a measurement ({request.title}) that is not stored yet: run `harness build`, which measures "
        "it if it has the weights and the task's development set."
    )
