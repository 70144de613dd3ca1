"""Tensors without their data: name, shape, type, and component of the model."""

import math
import re
from enum import StrEnum
from functools import cached_property

import msgspec


class Component(StrEnum):
    """The components of a speech language model, by which size reports are divided."""

    EMBEDDING = "embedding"
    HEAD = "head"
    ATTENTION = "attention"
    MLP = "mlp"
    AUDIO_TOWER = "audio tower"
    PROJECTOR = "projector"
    NORM = "norm"


_LAYER = re.compile(r"^(?:language_model\.model|audio_tower)\.layers\.(\d+)\.")
_LINEAR = re.compile(
    r"^(?:language_model\.model\.layers\.\d+\.(?:self_attn\.[qkvo]_proj|mlp\.(?:gate|up|down)_proj)"
    r"|language_model\.lm_head"
    r"|audio_tower\.layers\.\d+\.(?:self_attn\.(?:[qkv]|out)_proj|fc[12])"
    r"|multi_modal_projector\.linear)\.weight$"
)
_ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "int32": 4, "int64": 8, "int8": 1, "uint8": 1}


class TensorSpec(msgspec.Struct, frozen=True, dict=True):
    """A tensor of the base model by canonical name, without its data.

    Attributes:
        name: canonical on-disk name, e.g. `language_model.model.layers.0.mlp.gate_proj.weight`.
        shape: as stored; (out_features, in_features) for a linear weight.
        dtype: torch's name of the stored type, e.g. `bfloat16`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Number of bytes of the data in the type `dtype`."""
        return self.numel * _ITEM_BYTES[self.dtype]

    @cached_property
    def is_linear(self) -> bool:
        """Whether this is the weight matrix of a linear layer: 418 in Qwen2-Audio-7B, including the LM head."""
        return _LINEAR.match(self.name) is not None

    @cached_property
    def layer(self) -> int | None:
        """Index of the Transformer layer in the language model or the audio tower; None outside the layers."""
        match = _LAYER.match(self.name)
        return int(match.group(1)) if match else None

    @cached_property
    def component(self) -> Component:
        """The component to which the tensor belongs."""
        if self.name.startswith("audio_tower."):
            return Component.AUDIO_TOWER
        if self.name.startswith("multi_modal_projector."):
            return Component.PROJECTOR
        return next((component for mark, component in _LANGUAGE_MODEL_PARTS if mark in self.name), Component.NORM)


_LANGUAGE_MODEL_PARTS = (
    ("embed_tokens", Component.EMBEDDING),
    ("lm_head", Component.HEAD),
    ("self_attn", Component.ATTENTION),
    ("mlp", Component.MLP),
)
