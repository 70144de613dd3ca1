"""What a codec is: how one tensor is stored.

A new codec is one module in this folder: a frozen `Codec` struct with a tag, and three methods.

    @register_codec
    class Ternary(Codec, frozen=True, tag="ternary"):
        threshold: float

        def encode(self, tensor): ...
        def decode(self, parts, spec): ...
        def size(self, spec): ...
"""

from collections.abc import Mapping
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from harness.core.errors import UserError
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import torch

Parts = Mapping[str, "torch.Tensor"]
"""What one encoded tensor is stored as: suffix -> contiguous CPU tensor. The suffix "" means the tensor's own name."""


class Certainty(StrEnum):
    """How a codec knows a size: only exact sizes may decide a choice."""

    EXACT = "exact"
    BOUND = "bound"
    ESTIMATE = "estimate"


class Size(msgspec.Struct, frozen=True):
    """Bytes of an encoded tensor (all parts, no file header), and how they are known."""

    bytes: int
    certainty: Certainty


class Codec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="codec"):
    """How one tensor is stored. The fields are the codec's arguments; they travel in the plan as JSON.

    Attributes:
        libraries: distributions whose version can change the encoded bytes; the versions enter the artifact's key.
    """

    libraries: ClassVar[tuple[str, ...]] = ()

    def encode(self, tensor: "torch.Tensor") -> Parts:
        """Encode one tensor of the base model (16 or 32 bit, any shape the codec takes), deterministically.

        Works in blocks, so that beside the tensor and the parts it needs a few hundred MB at most.

        Raises:
            UserError: the tensor's shape does not suit the codec's arguments.
        """
        raise NotImplementedError

    def decode(self, parts: Parts, spec: TensorSpec) -> "torch.Tensor":
        """Decode to a dense tensor of `spec.shape` and `spec.dtype`.

        A loader that wants another precision passes a spec of that dtype: nothing is lost by way of `spec.dtype`.
        """
        raise NotImplementedError

    def size(self, spec: TensorSpec) -> Size:
        """Bytes of the parts that `encode` would return for a tensor of this shape and type, without its data."""
        raise NotImplementedError


def dtype_of(spec: TensorSpec) -> "torch.dtype":
    """Return torch's type object for a spec's dtype."""
    import torch

    dtype: torch.dtype = getattr(torch, spec.dtype)
    return dtype


_MODULES = ("raw", "hqq", "decimal", "int8")
_CODECS: dict[str, type[Codec]] = {}
C = TypeVar("C", bound=type[Codec])


def register_codec(cls: C) -> C:
    """Make a codec known by its tag, so that plans and artifacts that name it can be read."""
    _CODECS[str(cls.__struct_config__.tag)] = cls
    return cls


def codec_from_json(value: Any) -> Codec:
    """Read a codec from its JSON object, e.g. `{"codec": "hqq", "bits": 4, "group_size": 64}`.

    Raises:
        UserError: the tag is unknown or the arguments do not fit.
    """
    for module in _MODULES:
        import_module(f"harness.compression.codecs.{module}")
    tag = value.get("codec") if isinstance(value, dict) else None
    if tag not in _CODECS:
        raise UserError(f"Unknown codec {tag!r}: this version knows {', '.join(sorted(_CODECS))}.")
    try:
        return msgspec.convert(value, _CODECS[tag])
    except msgspec.ValidationError as error:
        raise UserError(f"The arguments of codec {tag!r} do not fit: {error}.") from error
