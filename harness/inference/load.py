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


def default_dtype(device: str) -> str:
    """Return the type that a device computes in by default: float32 on a CPU, where it is fastest, else bfloat16."""
    return "float32" if device == "cpu" else "bfloat16"


def engine_loader(artifact: Artifact, device: str = "cpu", dtype: str | None = None) -> EngineLoader:
    """Return a function that loads an artifact's model on its first call, so that stored results need no model."""
    return functools.cache(lambda: Engine(load_model(artifact, device, dtype), load_processor(artifact), device))


def load_model(artifact: Artifact, device: str = "cpu", dtype: str | None = None) -> Any:
    """Load an artifact into a `Qwen2AudioForConditionalGeneration`.

    Dense tensors are decoded by their codecs, one at a time, directly to the type to compute in. Linear layers that
    are stored by `Int8` run as bitsandbytes' `Linear8bitLt` on the stored codes.

    Args:
        artifact: its bytes were verified when it was opened.
        device: torch's name of the device.
        dtype: type to compute in, `float32`, `float16` or `bfloat16`; by default that of the device.

    Returns:
        the model in evaluation mode, every tensor on `device`, with the checkpoint's generation settings.
    """
    import torch
    from transformers import GenerationConfig

    dtype = dtype or default_dtype(device)
    config = read_config(artifact.path / "config.json")
    config.dtype = getattr(torch, dtype)
    model = meta_model(config)
    paths = {canonical_name(path): path for path in model.state_dict()}
    # Vectors first: an 8-bit layer takes over the bias of the dense layer that it replaces.
    for row in sorted(artifact.manifest.plan.assignments, key=lambda row: len(row.tensor.shape)):
        name = row.tensor.name
        if isinstance(row.codec, Int8) and row.tensor.is_linear:
            _place_int8(model, paths[name], artifact.parts(name), device)
        else:
            _place(model, paths[name], torch.nn.Parameter(_decode(artifact, row, dtype).to(device), False))
    if is_tied(config):
        model.tie_weights()
    _fill_buffers(model, device)
    if "generation_config.json" in artifact.manifest.files:
        model.generation_config = GenerationConfig.from_pretrained(artifact.path, local_files_only=True)
    empty = [name for name, tensor in [*model.named_parameters(), *model.named_buffers()] if tensor.is_meta]
    if empty:
        raise RuntimeError(f"{len(empty)} tensors were not filled, the first is {empty[0]}")
    return model.eval()


def load_dense(checkpoint: Checkpoint, device: str = "cpu", dtype: str | None = None) -> Engine:
    """Load an uncompressed checkpoint, frozen and in evaluation mode.

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
    return row.codec.decode(artifact.parts(row.tensor.name), msgspec.structs.replace(row.tensor, dtype=dtype))


def _place(model: Any, path: str, value: Any) -> None:
    owner, _, attribute = path.rpartition(".")
    setattr(model.get_submodule(owner), attribute, value)


def _place_int8(model: Any, path: str, parts: Parts, device: str) -> None:
    layer = path.removesuffix(".weight")
    _place(model, layer, int8_layer(parts, model.get_submodule(layer).bias, device))


def _fill_buffers(model: Any, device: str) -> None:
    """Construct again the modules whose buffers no checkpoint stores, so that they are empty: rotary embeddings."""
    stored = set(model.state_dict())
    for path in sorted({name.rpartition(".")[0] for name, _ in model.named_buffers() if name not in stored}):
        module = model.get_submodule(path)
        _place(model, path, type(module)(config=module.config, device=device))
