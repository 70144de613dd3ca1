"""The interface of a codec, which defines how one tensor is stored.

A new codec is one module in this package, or in an installed distribution with an entry point in the group
`stcompress.codecs`: a frozen `Codec` struct with a tag and three methods.

    @register_codec
    class Ternary(Codec, frozen=True, tag="ternary"):
        threshold: float

        def encode(self, tensor): ...
        def decode(self, parts, spec): ...
        def size(self, spec): ...

A codec whose encoder uses calibration data (a Hessian, activation statistics) implements `needs` and `encode_with`.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from harness.compression.measurement_request import MeasuredTensors, MeasurementRequest
from harness.compression.tagged_struct import register_struct, struct_from_json
from harness.core.errors import UserError
from harness.core.registry import Registry
from harness.core.safetensors_io import TensorFile
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import torch

Parts = Mapping[str, "torch.Tensor"]
"""The stored form of one tensor: suffix -> contiguous CPU tensor. The suffix "" stands for the tensor's own name."""


class Certainty(StrEnum):
    """How reliable a size is. Only exact sizes may decide a choice."""

    EXACT = "exact"
    BOUND = "bound"
    ESTIMATE = "estimate"


class Size(msgspec.Struct, frozen=True):
    """Bytes of an encoded tensor (all parts, without the file header), and how reliable they are."""

    bytes: int
    certainty: Certainty


class Codec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="codec"):
    """How one tensor is stored. The fields are the codec's arguments; the plan stores them as JSON.

    Attributes:
        libraries: distributions whose version can change the encoded bytes; the versions enter the artifact's key.
    """

    libraries: ClassVar[tuple[str, ...]] = ()

    @property
    def needs(self) -> tuple[MeasurementRequest[MeasuredTensors], ...]:
        """Measurements that the encoder reads, none by default; known without a model, so they can come first."""
        return ()

    def requests(
        self,
        tensor: TensorSpec,  # noqa: ARG002 - for codecs that measure each tensor separately
        codecs: Mapping[str, "Codec"],  # noqa: ARG002 - for codecs that depend on other tensors' codecs
    ) -> tuple[MeasurementRequest[MeasuredTensors], ...]:
        """Return the measurements for one tensor, given all tensors' codecs by canonical name; by default `needs`."""
        return self.needs

    def encode(self, tensor: "torch.Tensor") -> Parts:  # noqa: ARG002 - the interface
        """Encode one tensor of the base model (16 or 32 bit), deterministically.

        Implementations work in blocks, so that they need at most a few hundred MB beside the tensor and the parts.

        Raises:
            UserError: the tensor's shape does not suit the codec's arguments.
        """
        raise UserError(
            f"{self!r} cannot encode without its measurements: where a step encodes on trial, use another codec."
        )

    def encode_with(
        self,
        tensor: "torch.Tensor",
        spec: TensorSpec,  # noqa: ARG002 - for codecs that find their evidence by the tensor's name
        evidence: Sequence[TensorFile],  # noqa: ARG002 - for codecs that have requests
    ) -> Parts:
        """Encode one tensor with the measurements that `requests` returned for it; by default as `encode` does.

        The evidence is the stored tensors of each measurement, in the order of `requests`; they are read on demand.

        Raises:
            UserError: the tensor or the evidence does not suit the codec's arguments.
        """
        return self.encode(tensor)

    def decode(self, parts: Parts, spec: TensorSpec) -> "torch.Tensor":
        """Decode to a dense tensor of `spec.shape` and `spec.dtype`.

        A loader that needs another precision passes a spec of that dtype, so values are rounded only once.
        """
        raise NotImplementedError

    def size(self, spec: TensorSpec) -> Size:
        """Return the bytes of the parts of a tensor of this shape and type, without its data."""
        raise NotImplementedError


def dtype_of(spec: TensorSpec) -> "torch.dtype":
    """Return a spec's dtype as a `torch.dtype`."""
    import torch

    dtype: torch.dtype = getattr(torch, spec.dtype)
    return dtype


CODECS: Registry[type[Codec]] = Registry("codec", "harness.compression.codecs", "codecs")
C = TypeVar("C", bound=type[Codec])


def register_codec(cls: C) -> C:
    """Register the decorated codec under its tag, so that plans and artifacts that name it can be read."""
    register_struct(CODECS, cls)
    return cls


def codec_from_json(value: Any) -> Codec:
    """Read a codec from its JSON object, e.g. `{"codec": "hqq", "bits": 4, "group_size": 64}`.

    Raises:
        UserError: the tag is unknown, or the arguments are not valid.
    """
    return struct_from_json(CODECS, value)
