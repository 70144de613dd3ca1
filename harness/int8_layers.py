"""Int8 weights as bitsandbytes' 8-bit layers, filled with the stored codes: nothing is quantised again."""

import logging
from typing import Any

from harness.codecs.base import Parts
from harness.codecs.int8 import SCALES

OUTLIERS = 6.0
"""Columns of an input with a larger value are multiplied in 16 bit: the default of LLM.int8() and of transformers."""


def int8_layer(parts: Parts, bias: Any, device: str) -> Any:
    """Return a `Linear8bitLt` that holds the stored codes and row scales.

    Args:
        parts: of the codec `Int8`.
        bias: the layer's bias parameter, or None.
        device: where the layer lives.
    """
    import torch
    from bitsandbytes.nn import Int8Params, Linear8bitLt

    # It warns at every call that an input is not float16, which is what it converts inputs to by design.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    codes = parts[""].to(device)
    rows, columns = codes.shape
    with torch.device("meta"):
        layer = Linear8bitLt(columns, rows, bias=False, has_fp16_weights=False, threshold=OUTLIERS)
    scales = parts[SCALES].to(device)
    layer.weight = Int8Params(codes, requires_grad=False, has_fp16_weights=False, CB=codes, SCB=scales)
    layer.bias = bias
    return layer.eval()
