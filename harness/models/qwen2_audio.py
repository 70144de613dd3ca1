"""The shape of Qwen2-Audio: its configuration, its modules without data, and its canonical tensor names."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from harness.core.errors import UserError
from harness.core.files import key_of, read_json, sha256_of, write_json
from harness.models.tensor_spec import TensorSpec

HEAD = "language_model.lm_head.weight"
_RENAMES = (
    # transformers 5 moved everything but the head into an inner `model`; files that were saved from modules say so.
    (re.compile(r"^model\.(?=language_model\.|audio_tower\.|multi_modal_projector\.)"), ""),
    (re.compile(r"^lm_head\."), "language_model.lm_head."),
    (re.compile(r"^language_model\.(?=layers\.|embed_tokens\.|norm\.)"), "language_model.model."),
)


def canonical_name(name: str) -> str:
    """Return the canonical on-disk name of a tensor, given that name or a module path of transformers 4 or 5."""
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name


def read_config(path: Path) -> Any:
    """Read a `config.json` as a `transformers.Qwen2AudioConfig`. Code that the file names is never run.

    Raises:
        UserError: missing, not JSON, or of another architecture.
    """
    from transformers import Qwen2AudioConfig

    value = read_json(path)
    kind = value.get("model_type") if isinstance(value, dict) else None
    if kind != "qwen2_audio":
        raise UserError(f"{path} describes model type {kind!r}, not 'qwen2_audio': name a Qwen2-Audio checkpoint.")
    try:
        return Qwen2AudioConfig.from_dict(value)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"{path} does not read as a Qwen2-Audio configuration ({error}): restore it.") from error


def meta_model(config: Any) -> Any:
    """Return a `Qwen2AudioForConditionalGeneration` without data: every tensor is on the meta device."""
    import torch
    from transformers import Qwen2AudioForConditionalGeneration

    with torch.device("meta"):
        return Qwen2AudioForConditionalGeneration(config).eval()


def is_tied(config: Any) -> bool:
    """Whether embedding and LM head are one tensor, which is then stored as the embedding alone."""
    return bool(config.text_config.tie_word_embeddings)


def specs_of_config(config: Path) -> tuple[TensorSpec, ...]:
    """Return every tensor of the model that a `config.json` describes, without any weights.

    Args:
        config: path of the file; its `dtype` (or `torch_dtype`) becomes the tensors' type, float32 where it has none.

    Returns:
        the specs by canonical name, sorted; a tied LM head is left out.

    Raises:
        UserError: missing, not JSON, or of another architecture.
    """
    loaded = read_config(config)
    dtype = str(loaded.dtype or "float32").removeprefix("torch.")
    shapes = {canonical_name(name): tensor.shape for name, tensor in meta_model(loaded).state_dict().items()}
    if is_tied(loaded):
        del shapes[HEAD]
    return tuple(TensorSpec(name, tuple(shape), dtype) for name, shape in sorted(shapes.items()))


def remembered_specs(config: Path, cache: Path) -> tuple[TensorSpec, ...]:
    """Return `specs_of_config`, remembered under the sum of the file, so that a second call imports no library.

    Args:
        config: path of a `config.json`.
        cache: folder for what is remembered.
    """
    if not config.is_file():
        return specs_of_config(config)
    remembered = cache / f"shapes-{key_of([sha256_of(config), version('transformers')])}.json"
    if remembered.is_file():
        return msgspec.convert(read_json(remembered), tuple[TensorSpec, ...])
    specs = specs_of_config(config)
    write_json(remembered, specs)
    return specs
