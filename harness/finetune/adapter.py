"""The model with its LoRA adapter (PEFT), and the adapter alone as named tensors."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.architecture import canonical_name
from harness.checkpoint import Checkpoint
from harness.engine import Engine, checked
from harness.errors import MissingExtraError, UserError
from harness.finetune.recipe import FinetuneRecipe, Lora, Precision

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

_A = ".lora_A.default.weight"
_B = ".lora_B.default.weight"


def require_peft() -> None:
    """Check that PEFT is installed.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import peft  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MissingExtraError("Fine-tuning", "peft", "finetune") from error


def open_base(checkpoint: Checkpoint, precision: Precision, device: str) -> Engine:
    """Load a checkpoint to be trained, all of it frozen.

    Raises:
        UserError: the feature extractor does not belong to the weights.
    """
    import torch
    from transformers import AutoProcessor, Qwen2AudioForConditionalGeneration

    model = Qwen2AudioForConditionalGeneration.from_pretrained(
        checkpoint.path, dtype=getattr(torch, precision), local_files_only=True, use_safetensors=True
    )
    processor = AutoProcessor.from_pretrained(checkpoint.path, trust_remote_code=False, local_files_only=True)
    model.requires_grad_(requires_grad=False)
    return checked(Engine(model.to(device), processor, device))


def add_adapter(engine: Engine, recipe: FinetuneRecipe) -> dict[str, "Parameter"]:
    """Put a fresh adapter into a model: A random by the recipe's seed, B zero, so that nothing changes yet.

    Returns:
        the adapter's parameters by name, float32; they alone are trainable.

    Raises:
        UserError: the model has no linear layer in the components that the recipe names.
    """
    import torch
    from peft import LoraConfig, inject_adapter_in_model

    lora = recipe.lora
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=_targets(engine, lora)
    )
    torch.manual_seed(recipe.training.seed)
    with warnings.catch_warnings():
        # PEFT warns of tied embeddings; the harness merges by itself, and a tied head is no linear layer of its own.
        warnings.simplefilter("ignore")
        inject_adapter_in_model(config, engine.model)
    parameters = {name: value for name, value in engine.model.named_parameters() if value.requires_grad}
    for value in parameters.values():
        value.data = value.data.float()
    return parameters


def _targets(engine: Engine, lora: Lora) -> list[str]:
    """Return module paths of the linear layers of the wanted components."""
    from harness.tensor import TensorSpec

    found = []
    for path, parameter in engine.model.named_parameters():
        spec = TensorSpec(canonical_name(path), tuple(parameter.shape), "float32")
        if spec.is_linear and spec.component in lora.components:
            found.append(path.removesuffix(".weight"))
    if not found:
        raise UserError(f"The model has no linear layers in {', '.join(lora.components)}: name others in the recipe.")
    return found


def merged(weight: "Tensor", a: "Tensor", b: "Tensor", scale: float) -> "Tensor":
    """Return W + scale * B A, computed in float32 and rounded once to the type of W."""
    return (weight.float() + scale * (b @ a)).to(weight.dtype)


def factors(adapter: Mapping[str, "Tensor"]) -> dict[str, tuple["Tensor", "Tensor"]]:
    """Return A, shape (rank, in), and B, shape (out, rank), by the canonical name of the weight that they change."""
    found = {}
    for name, a in adapter.items():
        if name.endswith(_A):
            layer = name.removesuffix(_A)
            found[canonical_name(f"{layer}.weight")] = (a, adapter[layer + _B])
    return found
