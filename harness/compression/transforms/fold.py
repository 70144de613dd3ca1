"""Folding of activation-aware scales (AWQ): the same function, with weights that are easier to quantise.

Lin et al., AWQ, MLSys 2024; Diet-KIT section 4.5. Per decoder layer there are four places where a scale per channel s
moves from an operation to the linear layers that read its output: the former is divided by s, the latter multiplied.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.compression.transforms.base import Transform, WeightSource, register_transform
from harness.core.errors import UserError
from harness.core.files import sha256_of
from harness.core.safetensors_io import open_tensor_file
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import torch


class Fold(msgspec.Struct, frozen=True):
    """One place of a decoder layer where a scale per channel is folded; names are relative to the layer.

    Attributes:
        name: of the scales, and of the operation that is divided by them.
        readers: linear layers that are multiplied, and among which the error of the search is summed.
        inspected: module whose output the search compares; the reader itself, or the block that holds the readers.
    """

    name: str
    readers: tuple[str, ...]
    inspected: str


FOLDS = (
    Fold("input_layernorm", ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "self_attn"),
    Fold("self_attn.v_proj", ("self_attn.o_proj",), "self_attn.o_proj"),
    Fold("post_attention_layernorm", ("mlp.gate_proj", "mlp.up_proj"), "mlp"),
    Fold("mlp.up_proj", ("mlp.down_proj",), "mlp.down_proj"),
)
"""The places of a Qwen2 decoder layer. The second needs as many values as query heads (no grouped-query attention)."""
_NAME = re.compile(r"^language_model\.model\.layers\.(\d+)\.(.+)\.(weight|bias)$")
_DIVIDED = {fold.name: fold.name for fold in FOLDS}
_MULTIPLIED = {reader: fold.name for fold in FOLDS for reader in fold.readers}


def scale_name(layer: int, fold: str) -> str:
    """Return the name of a fold's scales in the measurement's file."""
    return f"layers.{layer}.{fold}"


@register_transform
class FoldScales(Transform, frozen=True, tag="fold-scales"):
    """Fold measured scales into the decoder layers.

    What changes becomes float32 and is rounded once, by its codec.

    Attributes:
        measurement: key of the measurement; its file `<key>.safetensors` holds the scales.
        sha256: of that file.
    """

    measurement: str
    sha256: str

    def changes(self, tensor: TensorSpec) -> bool:
        """What is divided, and the weights that are multiplied; the biases of mere readers stay."""
        return _place(tensor.name) is not None

    def spec(self, tensor: TensorSpec) -> TensorSpec:
        """Shapes stay; the type is float32."""
        return msgspec.structs.replace(tensor, dtype="float32")

    def tensor(self, spec: TensorSpec, source: WeightSource, files: Path) -> "torch.Tensor":
        """Return the tensor divided and multiplied by the scales of its layer, float32."""
        layer, module, kind = _place(spec.name) or (0, "", "")
        scales = _scales(files / f"{self.measurement}.safetensors", self.sha256)
        tensor = source.tensor(spec.name).float()
        if module in _DIVIDED:
            over = scales[scale_name(layer, _DIVIDED[module])]
            tensor = tensor / (over[:, None] if tensor.dim() == 2 else over)
        if module in _MULTIPLIED and kind == "weight":
            tensor = tensor * scales[scale_name(layer, _MULTIPLIED[module])][None, :]
        return tensor


def _place(name: str) -> tuple[int, str, str] | None:
    """Return layer, module and kind of a tensor that folding changes, else None: biases of mere readers stay."""
    match = _NAME.match(name)
    if match is None:
        return None
    layer, module, kind = int(match.group(1)), match.group(2), match.group(3)
    changes = module in _DIVIDED or (module in _MULTIPLIED and kind == "weight")
    return (layer, module, kind) if changes else None


@lru_cache(maxsize=1)
def _scales(path: Path, sha256: str) -> Mapping[str, "torch.Tensor"]:
    if not path.is_file():
        raise UserError(f"The measured scales {path} are missing: `harness build` measures them anew.")
    if sha256_of(path) != sha256:
        raise UserError(f"The measured scales {path} are not those that the plan was made with: remove the file.")
    file = open_tensor_file(path)
    return {name: file.read(name) for name in file.entries}
