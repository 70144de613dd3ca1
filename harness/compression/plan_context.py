"""The model and the measurements for which a recipe's open choices are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from harness.compression.codecs.base import Codec
from harness.compression.measurement_request import MeasurementProvider, refuse_measurement
from harness.models.tensor_spec import Component, TensorSpec


@dataclass(frozen=True)
class PlanContext:
    """What is known when a recipe is resolved to a plan: all tensors of the checkpoint, and measurements on request.

    Once the rules are resolved, `codecs` has the codec of each tensor before any transform.
    """

    tensors: tuple[TensorSpec, ...]
    measure: MeasurementProvider = field(default=refuse_measurement, repr=False)
    codecs: Mapping[str, Codec] = field(default_factory=dict, repr=False)

    @cached_property
    def decoder_layers(self) -> tuple[int, ...]:
        """Indices of the language model's decoder layers that have an MLP."""
        return tuple(sorted({t.layer for t in self.tensors if t.component is Component.MLP and t.layer is not None}))


UNMEASURED = PlanContext(())
"""A context without tensors and measurements: sufficient for selectors that use names and shapes alone."""
