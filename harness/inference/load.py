"""Loads artifacts and dense checkpoints as models; an artifact fills a model on the meta device tensor by tensor."""

import functools
from typing import Any

import msgspec

from harness.compression.artifact import Artifact
from harness.compression.codecs.base import Parts
from harness.compression.codecs.int8 import Int8
from harness.compression.plan import Assignment
from harness.inference.engine import Engine, EngineLoader
from harness.inference.int8_layers import int8_layer
from harness.models.checkpoint import Checkpoint
from harness.models.qwen2_audio import canonical_name, is_tied, meta_model, read_config
from harness.models.tensor_spec import TensorSpec


def default_dtype(device: str) -> str:
    """Return the type that a device computes in by default: float32 on a CPU, where it is fastest, else bfloat16."""
    return "float32" if device == "cpu" else "bfloat16"


def engine_loader(artifact: Artifact, device: str = "cpu", dtype: str | None = None) -> EngineLoader:
    """Return a function that loads an artifact's model on its first call, so that stored results need no model.

    Args:
        artifact: what to load.
        device: torch's name of the device.
        dtype: torch's name of the type to compute in; by default that of the device.
    """

    def load() -> Engine:
        return Engine(load_model(artifact, device, dtype), load_processor(artifact), device)

    return functools.cache(load)


def load_model(artifact: Artifact, device: str = "cpu", dtype: str | None = None) -> Any:
    """Load an artifact into a `Qwen2AudioForConditionalGeneration`.

    Dense tensors are decoded by their codecs, one at a time, directly to the type to compute in. Linear layers that
    are stored by `Int8` run as bitsandbytes' `Linear8bitLt` on the stored codes.

    Args:
        artifact: the artifact; its bytes were verified when it was opened.
        device: torch's name of the device.
        dtype: type to compute in, `float32`, `float16` or `bfloat16`; by default that of the device.

    Returns:
        the model in evaluation mode, every tensor on `device`, with the checkpoint's generation settings.
    """
    import torch

    dtype = dtype or default_dtype(device)
    config = read_config(artifact.path / "config.json")
    config.dtype = getattr(torch, dtype)
    model = meta_model(config)
    paths = {canonical_name(path): path for path in model.state_dict()}
    # Vectors first: an 8-bit layer takes over the bias of the dense layer that it replaces.
    for row in sorted(artifact.manifest.plan.assignments, key=lambda row: len(row.tensor.shape)):
        if isinstance(row.codec, Int8) and row.tensor.is_linear:
            _place_int8(model, paths[row.tensor.name], artifact.parts(row.tensor.name), device)
        else:
            _place_dense(model, paths[row.tensor.name], _decode(artifact, row, dtype).to(device))
    if is_tied(config):
        model.tie_weights()
    _fill_buffers(model, device)
    _load_generation_config(model, artifact)
    _check_filled(model)
    return model.eval()


def load_dense(checkpoint: Checkpoint, device: str = "cpu", dtype: str | None = None) -> Engine:
    """Load an uncompressed checkpoint, frozen and in evaluation mode.

    Args:
        checkpoint: the base weights.
        device: torch's name of the device.
        dtype: type to compute in; by default that of the device.

    Raises:
        UserError: the feature extractor does not fit the weights.
    """
    import torch
    from transformers import AutoProcessor, Qwen2AudioForConditionalGeneration

    chosen = getattr(torch, dtype or default_dtype(device))
    model = Qwen2AudioForConditionalGeneration.from_pretrained(
        checkpoint.path, dtype=chosen, local_files_only=True, use_safetensors=True
    )
    processor = AutoProcessor.from_pretrained(checkpoint.path, trust_remote_code=False, local_files_only=True)
    model.requires_grad_(requires_grad=False)
    return Engine(model.to(device).eval(), processor, device)


def load_processor(artifact: Artifact) -> Any:
    """Return the artifact's `Qwen2AudioProcessor`: tokenizer, feature extractor and chat template."""
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(artifact.path, trust_remote_code=False, local_files_only=True)


def _decode(artifact: Artifact, row: Assignment, dtype: str) -> Any:
    target: TensorSpec = msgspec.structs.replace(row.tensor, dtype=dtype)
    return row.codec.decode(artifact.parts(row.tensor.name), target)


def _place_dense(model: Any, path: str, tensor: Any) -> None:
    import torch

    owner, _, attribute = path.rpartition(".")
    setattr(model.get_submodule(owner), attribute, torch.nn.Parameter(tensor, requires_grad=False))


def _place_int8(model: Any, path: str, parts: Parts, device: str) -> None:
    layer = path.removesuffix(".weight")
    owner, _, attribute = layer.rpartition(".")
    bias = model.get_submodule(layer).bias
    setattr(model.get_submodule(owner), attribute, int8_layer(parts, bias, device))


def _fill_buffers(model: Any, device: str) -> None:
    """Construct again the modules with buffers that are computed from the configuration: rotary position embeddings.

    Checkpoints do not store these buffers, so that they are still empty tensors on the meta device.
    """
    stored = set(model.state_dict())
    computed = {name.rpartition(".")[0] for name, _ in model.named_buffers() if name not in stored}
    for path in sorted(computed):
        owner, _, attribute = path.rpartition(".")
        module = model.get_submodule(path)
        setattr(model.get_submodule(owner), attribute, type(module)(config=module.config, device=device))


def _load_generation_config(model: Any, artifact: Artifact) -> None:
    from transformers import GenerationConfig

    if "generation_config.json" in artifact.manifest.files:
        model.generation_config = GenerationConfig.from_pretrained(artifact.path, local_files_only=True)


def _check_filled(model: Any) -> None:
    tensors = [*model.named_parameters(), *model.named_buffers()]
    empty = [name for name, tensor in tensors if tensor.is_meta]
    if empty:
        raise RuntimeError(f"{len(empty)} tensors were not filled, the first is {empty[0]}")
