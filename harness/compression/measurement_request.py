"""PlanContext that a recipe leaves open until it meets a model: how deep it is, and what was measured of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from harness.core.errors import UserError
from harness.models.tensor_spec import Component, TensorSpec

if TYPE_CHECKING:
    from harness.compression.codecs.base import Codec


class Measured(Protocol):
    """A measurement as a plan remembers it."""

    @property
    def key(self) -> str:
        """Content key."""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Data sets that it was measured on."""


Measured_co = TypeVar("Measured_co", bound=Measured, covariant=True)


class MeasurementRequest(Protocol[Measured_co]):
    """What a recipe wants measured, with its settings; `harness.calibration` has the kinds."""

    @property
    def title(self) -> str:
        """How a person calls the measurement, e.g. `sensitivity of hqq4-emb2-g128 to hqq(bits=3)`."""

    @property
    def effort(self) -> float:
        """How long it takes among its like, 1 at most; the longest are begun first."""

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems that are built for it, if they are not there."""

    def measure(self, context: Any) -> Measured_co:
        """Return the stored measurement, or make and store it."""

    def recall(self, context: Any) -> Measured_co | None:
        """Return the stored measurement, or None."""

    def require(self, context: Any) -> None:
        """Check, before anything starts, that it is stored or can be made.

        Raises:
            UserError: data or an optional library that it needs are missing.
        """


MeasurementProvider = Callable[[MeasurementRequest[Any]], Any]
"""Gives the result of a measurement that a recipe asks for."""


class UnmeasuredError(UserError):
    """A plan needs a measurement that is not there, in a place where none may be made."""


def refuse_measurement(request: MeasurementRequest[Any]) -> Any:
    """Refuse to answer.

    Raises:
        UnmeasuredError: always.
    """
    raise UnmeasuredError(
        f"The plan needs a measurement ({request.title}) that was not made yet: `harness build` makes it, "
        "given the weights and the task's development set."
    )


@dataclass(frozen=True)
class PlanContext:
    """What is known when a plan is made.

    Attributes:
        tensors: all tensors of the checkpoint.
        measure: gives measurements.
        codecs: the codec of each tensor before any transform, once the rules are resolved.
    """

    tensors: tuple[TensorSpec, ...]
    measure: MeasurementProvider = field(default=refuse_measurement, repr=False)
    codecs: Mapping[str, "Codec"] = field(default_factory=dict, repr=False)

    @cached_property
    def decoder_layers(self) -> tuple[int, ...]:
        """Indices of the language model's decoder layers that have an MLP."""
        return tuple(sorted({t.layer for t in self.tensors if t.component is Component.MLP and t.layer is not None}))


UNMEASURED = PlanContext(())
"""Nothing is known: enough for selectors that look at names and shapes alone."""
