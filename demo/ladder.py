"""BLEU of the demo's model after HQQ at 8, 4, 3 and 2 bits."""

import copy

import torch
from hqq.core.quantize import Quantizer
from torch import Tensor, nn
from transformers import Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor

from demo.corpus import Row
from demo.decode import evaluate
from demo.prompts import Prompt
from demo.speech import Samples

BITS = (8, 4, 3, 2)


def rounded(weight: Tensor, bits: int) -> Tensor:
    """Return the weight after HQQ with the settings of hqq_base_quant_config, group size 64."""
    packed, meta = Quantizer.quantize(
        weight.float(),
        nbits=bits,
        group_size=64,
        axis=1,
        round_zero=bits == 4,
        optimize=True,
        compute_dtype=torch.float32,
        device="cpu",
    )
    for name in ("scale", "zero"):
        meta[name] = meta[name].half().float()
    dense: Tensor = Quantizer.dequantize(packed, meta)
    return dense.to(weight.dtype)


def quantised(model: Qwen2AudioForConditionalGeneration, bits: int) -> Qwen2AudioForConditionalGeneration:
    """Return a copy with every linear layer quantised, except for the embedding."""
    other = copy.deepcopy(model)
    for module in other.modules():
        if isinstance(module, nn.Linear):
            module.weight.data = rounded(module.weight.data, bits)
    return other


def ladder(
    model: Qwen2AudioForConditionalGeneration,
    processor: Qwen2AudioProcessor,
    rows: list[tuple[Row, Samples]],
    prompt: Prompt,
    bits: tuple[int, ...] = BITS,
) -> dict[str, dict[str, float]]:
    """Return BLEU by bits, that of the original model first."""
    scores = {"16": evaluate(model, processor, rows, prompt)}
    for count in bits:
        scores[str(count)] = evaluate(quantised(model, count), processor, rows, prompt)
    return scores
