"""The interface of a transform, which changes the dense weights before encoding.

A new transform is one module in this package, or in an installed distribution with an entry point in the group
`stcompress.transforms`: a frozen `Transform` struct with a tag. It reads weights on demand through a `WeightSource`,
so that only one layer is in memory at a time.

    @register_transform
    class Negate(Transform, frozen=True, tag="negate"):
        def tensor(self, spec, source, files):
            return -source.tensor(spec.name)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import msgspec

from harness.compression.measurement_request import MeasurementRequest
from harness.compression.plan_context import PlanContext
from harness.compression.tagged_struct import register_struct, struct_from_json
from harness.core.registry import Registry
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import torch


class WeightSource(Protocol):
    """Dense weights by canonical name: a checkpoint, before or after transforms."""

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """Every tensor, sorted by name."""

    def tensor(self, name: str) -> "torch.Tensor":
        """Return a tensor with the shape and type of its spec."""


class TransformChoice(Protocol):
    """A transform in a recipe: complete, or with arguments that are still to be measured."""

    @property
    def needs(self) -> tuple[MeasurementRequest[Any], ...]:
        """Measurements that `resolve` needs; they determine values, never shapes."""

    def resolve(self, context: PlanContext) -> "Transform":
        """Return the complete transform."""


class Transform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="transform"):
    """A change to the dense weights. The fields are its arguments; the plan stores them as JSON.

    Attributes:
        libraries: distributions whose version can change the result; the versions enter the artifact's key.
    """

    libraries: ClassVar[tuple[str, ...]] = ()

    @property
    def needs(self) -> tuple[MeasurementRequest[Any], ...]:
        """Empty: a `Transform` is complete."""
        return ()

    def resolve(self, context: PlanContext) -> "Transform":  # noqa: ARG002 - complete already
        """Return this transform."""
        return self

    def changes(self, tensor: TensorSpec) -> bool:
        """Whether the transform changes a tensor."""
        raise NotImplementedError

    def spec(self, tensor: TensorSpec) -> TensorSpec:
        """Return the spec of a changed tensor after the transform."""
        raise NotImplementedError

    def tensor(self, spec: TensorSpec, source: WeightSource, files: Path) -> "torch.Tensor":
        """Return a changed tensor, given its spec and all weights before the change, and the folder of measurements.

        Raises:
            UserError: a measurement is missing or was changed, or the tensor does not suit the transform.
        """
        raise NotImplementedError

    def config(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return the content of the model's `config.json` after the transform."""
        return value


TRANSFORMS: Registry[type[Transform]] = Registry("transform", "harness.compression.transforms", "transforms")
T = TypeVar("T", bound=type[Transform])


def register_transform(cls: T) -> T:
    """Register the decorated transform under its tag, so that plans and artifacts that name it can be read."""
    register_struct(TRANSFORMS, cls)
    return cls


def transform_from_json(value: Any) -> Transform:
    """Read a transform from its JSON object, e.g. `{"transform": "prune-neurons", "fraction": 0.2}`.

    Raises:
        UserError: the tag is unknown, or the arguments are not valid.
    """
    return struct_from_json(TRANSFORMS, value)


def specs_after(specs: Sequence[TensorSpec], transforms: Sequence[Transform]) -> tuple[TensorSpec, ...]:
    """Return the specs of all tensors after all transforms."""
    after = tuple(specs)
    for transform in transforms:
        after = tuple(transform.spec(spec) if transform.changes(spec) else spec for spec in after)
    return after


class _Transformed:
    """A weight source with one transform applied."""

    def __init__(self, source: WeightSource, transform: Transform, files: Path) -> None:
        self._before = {spec.name: spec for spec in source.specs}
        self._source, self._transform, self._files = source, transform, files
        self.specs = specs_after(source.specs, [transform])

    def tensor(self, name: str) -> "torch.Tensor":
        spec = self._before[name]
        if self._transform.changes(spec):
            return self._transform.tensor(spec, self._source, self._files)
        return self._source.tensor(name)


def transformed(source: WeightSource, transforms: Sequence[Transform], files: Path) -> WeightSource:
    """Return a source of the weights after all transforms in order; each tensor is computed when it is read.

    `files` is the folder of the measurements.
    """
    for transform in transforms:
        source = _Transformed(source, transform, files)
    return source
