"""Qwen2-Audio: its configuration, its modules without data, and the canonical names of its tensors."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.core.errors import UserError
from harness.core.files import read_json, sha256_of
from harness.core.store import Store
from harness.models.tensor_spec import TensorSpec

HEAD = "language_model.lm_head.weight"
_SPECS: Store[tuple[TensorSpec, ...]] = Store("shapes", tuple[TensorSpec, ...], format=1)
_RENAMES = (
    # transformers 5 moved all modules except the head into an inner `model`; files saved with module paths have it too.
    (re.compile(r"^model\.(?=language_model\.|audio_tower\.|multi_modal_projector\.)"), ""),
    (re.compile(r"^lm_head\."), "language_model.lm_head."),
    (re.compile(r"^language_model\.(?=layers\.|embed_tokens\.|norm\.)"), "language_model.model."),
)


def canonical_name(name: str) -> str:
    """Return the canonical on-disk name for such a name or for a module path of transformers 4 or 5."""
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name


def read_config(path: Path) -> Any:
    """Read a `config.json` as a `transformers.Qwen2AudioConfig`. Custom code that the file refers to is never run.

    Raises:
        UserError: the file is missing, not JSON, or of another architecture.
    """
    from transformers import Qwen2AudioConfig

    value = read_json(path)
    kind = value.get("model_type") if isinstance(value, dict) else None
    if kind != "qwen2_audio":
        raise UserError(f"{path} describes model type {kind!r}, not 'qwen2_audio': name a Qwen2-Audio checkpoint.")
    try:
        return Qwen2AudioConfig.from_dict(value)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} is not a valid Qwen2-Audio configuration ({error}): restore it from the model's repository."
        ) from error


def meta_model(config: Any) -> Any:
    """Return a `Qwen2AudioForConditionalGeneration` without data: every tensor is on the meta device."""
    import torch
    from transformers import Qwen2AudioForConditionalGeneration

    with torch.device("meta"):
        return Qwen2AudioForConditionalGeneration(config).eval()


def is_tied(config: Any) -> bool:
    """Whether embedding and LM head share one tensor, which is then stored as the embedding only."""
    return bool(config.text_config.tie_word_embeddings)


def specs_of_config(config: Path) -> tuple[TensorSpec, ...]:
    """Return the specs of all tensors of the model that a `config.json` describes, without a tied LM head.

    They are sorted by canonical name. The file's `dtype` (or `torch_dtype`) is the tensors' type, float32 by default.

    Raises:
        UserError: the file is missing, not JSON, or of another architecture.
    """
    loaded = read_config(config)
    dtype = str(loaded.dtype or "float32").removeprefix("torch.")
    shapes = {canonical_name(name): tensor.shape for name, tensor in meta_model(loaded).state_dict().items()}
    if is_tied(loaded):
        del shapes[HEAD]
    return tuple(TensorSpec(name, tuple(shape), dtype) for name, shape in sorted(shapes.items()))


def cached_specs(config: Path, cache: Path) -> tuple[TensorSpec, ...]:
    """Return `specs_of_config` from a cache folder, so that a second call does not import transformers."""
    if not config.is_file():
        return specs_of_config(config)
    stored = _SPECS.entry(cache / "shapes", [sha256_of(config), version("transformers")])
    specs = stored.recall()
    if specs is None:
        specs = specs_of_config(config)
        stored.write(specs)
    return specs
