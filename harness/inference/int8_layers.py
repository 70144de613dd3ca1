"""Int8 weights as bitsandbytes' 8-bit layers on the stored codes: nothing is quantised again."""

from typing import Any

from harness.compression.codecs.base import Parts
from harness.compression.codecs.int8 import SCALES, quiet_bitsandbytes

OUTLIERS = 6.0
"""Input columns with a larger absolute value are multiplied in 16 bit: default of LLM.int8() and of transformers."""


def int8_layer(parts: Parts, bias: Any, device: str) -> Any:
    """Return a `Linear8bitLt` that holds the stored codes and row scales of the codec `Int8`, with a bias or None."""
    import torch

    nn = quiet_bitsandbytes().nn
    codes = parts[""].to(device)
    rows, columns = codes.shape
    # On the meta device, so that no dense weight is allocated and quantised.
    with torch.device("meta"):
        layer = nn.Linear8bitLt(columns, rows, bias=False, has_fp16_weights=False, threshold=OUTLIERS)
    scales = parts[SCALES].to(device)
    layer.weight = nn.Int8Params(codes, requires_grad=False, has_fp16_weights=False, CB=codes, SCB=scales)
    layer.bias = bias
    return layer.eval()
