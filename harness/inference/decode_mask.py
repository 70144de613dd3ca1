"""The attention mask of one decoding step, made without detours.

transformers 4.56 and 4.57 make every mask by four nested `torch.vmap` over a function of indices. For the single new
token of a decoding step that takes longer than the attention of several layers; the mask itself is the padding.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_ATTENTION = "sdpa"


@contextmanager
def light_decode_masks() -> Iterator[None]:
    """Let transformers make the masks of decoding steps by `decode_mask` inside the block, which is not nested."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    ALL_MASK_ATTENTION_FUNCTIONS[_ATTENTION] = decode_mask
    try:
        yield
    finally:
        del ALL_MASK_ATTENTION_FUNCTIONS[_ATTENTION]  # the one that is registered shows again


def decode_mask(**asked: Any) -> "Tensor | None":
    """Return what `sdpa_mask` of transformers returns for the same arguments.

    One query that stands behind all keys attends to whatever is not padding: shape (sentences, 1, 1, keys), bool, or
    None where nothing is padding. Every other question is passed on.
    """
    from transformers.masking_utils import sdpa_mask

    padding: Tensor | None = asked.get("attention_mask")
    if padding is None or padding.shape[-1] != asked["kv_length"] or not _is_plain_step(asked):
        mask: Tensor | None = sdpa_mask(**asked)
        return mask
    real: Tensor = padding.bool()
    return None if bool(real.all()) else real[:, None, None, :]


def _is_plain_step(asked: dict[str, Any]) -> bool:
    """Tell whether one query is asked for, with nothing but causality and padding."""
    from transformers.masking_utils import causal_mask_function

    return (
        len(asked["cache_position"]) == 1
        and not asked.get("kv_offset", 0)
        and asked.get("mask_function") is causal_mask_function
        and asked.get("local_size") is None
        and asked.get("allow_is_causal_skip", True)
    )
