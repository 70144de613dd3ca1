"""LoRA adapters by PEFT: added to a model, and merged into its weights."""

import warnings
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.compression.codecs.int8 import quiet_bitsandbytes
from harness.core.errors import MissingExtraError, UserError
from harness.finetune.recipe import FinetuneRecipe, Lora, TrainingPrecision
from harness.inference.engine import Engine
from harness.models.qwen2_audio import canonical_name
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

_A = ".lora_A.default.weight"
_B = ".lora_B.default.weight"


def require_peft() -> None:
    """Raise a `MissingExtraError` where PEFT is not installed."""
    quiet_bitsandbytes()  # PEFT imports bitsandbytes, which logs warnings on import
    try:
        import peft  # noqa: F401 - only whether it can be imported
    except ImportError as error:
        raise MissingExtraError("Fine-tuning", "peft", "finetune") from error


def add_adapter(engine: Engine, recipe: FinetuneRecipe) -> dict[str, "Parameter"]:
    """Add an adapter to a model: A random by the recipe's seed, B zero, so that the outputs do not change yet.

    Returns:
        the adapter's parameters by name, float32; they alone are trainable.

    Raises:
        UserError: the model has no linear layer in the components that the recipe names.
    """
    import torch
    from peft import LoraConfig, inject_adapter_in_model

    lora, targets = recipe.lora, _targets(engine, recipe.lora)
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets)
    torch.manual_seed(recipe.training.seed)
    with warnings.catch_warnings():
        # PEFT warns about merging tied embeddings; the harness merges by itself, and a tied head is not adapted.
        warnings.simplefilter("ignore")
        inject_adapter_in_model(config, engine.model)
    parameters = {name: value for name, value in engine.model.named_parameters() if value.requires_grad}
    for value in parameters.values():
        value.data = value.data.float()
    _fold_narrow_layers(engine, recipe)
    return parameters


def _fold_narrow_layers(engine: Engine, recipe: FinetuneRecipe) -> None:
    """Make narrow layers compute x (W + s B A) instead of x W + s (x A) B: one product instead of three.

    Per token a folded layer costs in * out in the backward pass, the adapter's own products 3 * rank * (in + out): a
    miniature trains almost twice as fast, and the layers of a 7B model stay as PEFT has them.
    """
    from peft.tuners.lora import Linear

    if recipe.lora.dropout or recipe.training.precision is not TrainingPrecision.FLOAT32:
        return
    for layer in engine.model.modules():
        if isinstance(layer, Linear):
            rows, columns = layer.base_layer.weight.shape
            if rows * columns < 3 * recipe.lora.rank * (rows + columns):
                layer.forward = partial(_folded, layer)


def _folded(layer: Any, inputs: "Tensor") -> "Tensor":
    from torch.nn.functional import linear

    change = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    return linear(inputs, layer.base_layer.weight + layer.scaling["default"] * change, layer.base_layer.bias)


def _targets(engine: Engine, lora: Lora) -> list[str]:
    """Return the module paths of the linear layers of the recipe's components."""
    found = []
    for path, parameter in engine.model.named_parameters():
        spec = TensorSpec(canonical_name(path), tuple(parameter.shape), "float32")
        if spec.is_linear and spec.component in lora.components:
            found.append(path.removesuffix(".weight"))
    if not found:
        raise UserError(
            f"The model has no linear layers in {', '.join(lora.components)}: name other components in the recipe."
        )
    return found


def merged(weight: "Tensor", a: "Tensor", b: "Tensor", scale: float) -> "Tensor":
    """Return W + scale * B A, computed in float32 and rounded once to the type of W."""
    return (weight.float() + scale * (b @ a)).to(weight.dtype)


def factors(adapter: Mapping[str, "Tensor"]) -> dict[str, tuple["Tensor", "Tensor"]]:
    """Return A, shape (rank, in), and B, shape (out, rank), by the canonical name of the adapted weight."""
    layers = [name.removesuffix(_A) for name in adapter if name.endswith(_A)]
    return {canonical_name(f"{layer}.weight"): (adapter[layer + _A], adapter[layer + _B]) for layer in layers}
