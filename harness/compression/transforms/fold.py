"""Folding of activation-aware scales (AWQ), which keeps the model's function and makes its weights easier to quantise.

Lin et al., AWQ, MLSys 2024; Diet-KIT section 4.5. In each decoder layer there are four places where a
per-channel scale s is folded: an operation is divided by s, and the linear layers that read its output are multiplied.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.compression.measured_tensors import read_measured_tensors, tensors_path
from harness.compression.transforms.base import Transform, WeightSource, register_transform
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    import torch


class Fold(msgspec.Struct, frozen=True):
    """One place in a decoder layer where a per-channel scale is folded; names are relative to the layer.

    The operation `name` is divided by the scales, and the linear layers `readers` are multiplied by them. The search
    compares the output of the module `inspected`: the only reader, or the block that contains the readers.
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
"""The folds of a Qwen2 decoder layer. The second one requires as many value as query heads (no grouped queries)."""
_NAME = re.compile(r"^language_model\.model\.layers\.(\d+)\.(.+)\.(weight|bias)$")
_DIVIDED = {fold.name: fold.name for fold in FOLDS}
_MULTIPLIED = {reader: fold.name for fold in FOLDS for reader in fold.readers}


def scale_name(layer: int, fold: str) -> str:
    """Return the name of a fold's scales in the measurement's tensors."""
    return f"layers.{layer}.{fold}"


@register_transform
class FoldScales(Transform, frozen=True, tag="fold-scales"):
    """Fold measured scales into the decoder layers, from `<measurement>.safetensors` with this checksum.

    Changed tensors are float32, so that only their codec rounds them.
    """

    measurement: str
    sha256: str

    def changes(self, tensor: TensorSpec) -> bool:
        """Whether a fold divides or multiplies the tensor; the biases of readers are not multiplied."""
        return _place(tensor.name) is not None

    def spec(self, tensor: TensorSpec) -> TensorSpec:
        """Return the spec with the type float32."""
        return msgspec.structs.replace(tensor, dtype="float32")

    def tensor(self, spec: TensorSpec, source: WeightSource, files: Path) -> "torch.Tensor":
        """Return the tensor, divided and multiplied by the scales of its layer, as float32."""
        layer, module, kind = _place(spec.name) or (0, "", "")
        scales = read_measured_tensors(tensors_path(files, self.measurement), self.sha256)
        tensor = source.tensor(spec.name).float()
        if module in _DIVIDED:
            over = scales.read(scale_name(layer, _DIVIDED[module]))
            tensor = tensor / (over[:, None] if tensor.dim() == 2 else over)
        if module in _MULTIPLIED and kind == "weight":
            tensor = tensor * scales.read(scale_name(layer, _MULTIPLIED[module]))[None, :]
        return tensor


def _place(name: str) -> tuple[int, str, str] | None:
    """Return layer, module and kind (weight or bias) of a tensor that folding changes, else None."""
    match = _NAME.match(name)
    if match is None:
        return None
    layer, module, kind = match.groups()
    changes = module in _DIVIDED or (module in _MULTIPLIED and kind == "weight")
    return (int(layer), module, kind) if changes else None
