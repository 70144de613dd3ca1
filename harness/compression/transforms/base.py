"""What a transform is: a change to the dense weights before they are coded.

A new transform is one module in this folder: a frozen `Transform` struct with a tag. It reads weights through a
`WeightSource` and is one itself, so that only the layer in work is in memory.

    @register_transform
    class Negate(Transform, frozen=True, tag="negate"):
        def tensor(self, spec, source, files):
            return -source.tensor(spec.name)
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import msgspec

from harness.compression.measurement_request import MeasurementRequest, PlanContext
from harness.core.errors import UserError
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import torch


class WeightSource(Protocol):
    """Dense weights by canonical name: a checkpoint, or one as transforms leave it."""

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """Every tensor, sorted by name."""

    def tensor(self, name: str) -> "torch.Tensor":
        """Return a tensor of the shape and type that its spec states."""


class TransformChoice(Protocol):
    """A transform as a recipe asks for it: complete, or with something still to be measured."""

    @property
    def needs(self) -> tuple[MeasurementRequest[Any], ...]:
        """Measurements that must be there before it can be resolved; they decide values, never shapes."""

    def resolve(self, context: PlanContext) -> "Transform":
        """Return the complete transform."""


class Transform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="transform"):
    """A change to the dense weights. The fields are its arguments; they travel in the plan as JSON.

    Attributes:
        libraries: distributions whose version can change the result; the versions enter the artifact's key.
    """

    libraries: ClassVar[tuple[str, ...]] = ()

    @property
    def needs(self) -> tuple[MeasurementRequest[Any], ...]:
        """Nothing: a `Transform` is complete."""
        return ()

    def resolve(self, context: PlanContext) -> "Transform":  # noqa: ARG002 - complete already
        """Return itself."""
        return self

    def changes(self, tensor: TensorSpec) -> bool:
        """Whether a tensor is another one afterwards; all others pass as they are."""
        raise NotImplementedError

    def spec(self, tensor: TensorSpec) -> TensorSpec:
        """Return the spec that a tensor which changes has afterwards."""
        raise NotImplementedError

    def tensor(self, spec: TensorSpec, source: WeightSource, files: Path) -> "torch.Tensor":
        """Return a tensor that this transform changes.

        Args:
            spec: of the tensor before the change.
            source: the weights before the change.
            files: folder of the measurements.

        Raises:
            UserError: a measurement that it needs is missing or changed, or a weight does not suit it.
        """
        raise NotImplementedError

    def config(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return the model's `config.json` as it is afterwards."""
        return value


_MODULES = ("fold", "prune")
_TRANSFORMS: dict[str, type[Transform]] = {}
T = TypeVar("T", bound=type[Transform])


def register_transform(cls: T) -> T:
    """Make a transform known by its tag, so that plans and artifacts that name it can be read."""
    _TRANSFORMS[str(cls.__struct_config__.tag)] = cls
    return cls


def transform_from_json(value: Any) -> Transform:
    """Read a transform from its JSON object, e.g. `{"transform": "prune-neurons", "fraction": 0.2}`.

    Raises:
        UserError: the tag is unknown or the arguments do not fit.
    """
    for module in _MODULES:
        import_module(f"harness.compression.transforms.{module}")
    tag = value.get("transform") if isinstance(value, dict) else None
    if tag not in _TRANSFORMS:
        raise UserError(f"Unknown transform {tag!r}: this version knows {', '.join(sorted(_TRANSFORMS))}.")
    try:
        return msgspec.convert(value, _TRANSFORMS[tag])
    except msgspec.ValidationError as error:
        raise UserError(f"The arguments of transform {tag!r} do not fit: {error}.") from error


def specs_after(specs: Sequence[TensorSpec], transforms: Sequence[Transform]) -> tuple[TensorSpec, ...]:
    """Return the specs of all tensors after all transforms."""
    after = tuple(specs)
    for transform in transforms:
        after = tuple(transform.spec(spec) if transform.changes(spec) else spec for spec in after)
    return after


class _Transformed:
    """A source after one transform."""

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
    """Return the weights as they are after all transforms; nothing is computed before a tensor is wanted.

    Args:
        source: the weights before.
        transforms: in order.
        files: folder of the measurements.
    """
    for transform in transforms:
        source = _Transformed(source, transform, files)
    return source
