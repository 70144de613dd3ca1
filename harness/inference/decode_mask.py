"""Attention masks of decoding steps, without the overhead of transformers' mask functions.

transformers 4.56 and 4.57 build every mask by four nested `torch.vmap` over a function of indices. For the single new
token of a decoding step that takes longer than the attention of several layers, although the mask equals the padding.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_ATTENTION = "sdpa"


@contextmanager
def fast_decode_masks() -> Iterator[None]:
    """Make transformers build the masks of its `sdpa` attention by `decode_mask` inside the block."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    ALL_MASK_ATTENTION_FUNCTIONS[_ATTENTION] = decode_mask
    try:
        yield
    finally:
        # The mapping keeps assigned functions apart from built-in ones: deletion restores the built-in one.
        del ALL_MASK_ATTENTION_FUNCTIONS[_ATTENTION]


def decode_mask(**arguments: Any) -> "Tensor | None":
    """Return the mask that `sdpa_mask` of transformers returns for the same arguments.

    A single query behind all keys attends to every key that is not padding: shape (sentences, 1, 1, keys), bool, or
    None where nothing is padding. All other arguments are passed on to `sdpa_mask`.
    """
    from transformers.masking_utils import sdpa_mask

    padding: Tensor | None = arguments.get("attention_mask")
    if padding is None or padding.shape[-1] != arguments["kv_length"] or not _is_plain_step(arguments):
        mask: Tensor | None = sdpa_mask(**arguments)
        return mask
    attended: Tensor = padding.bool()
    return None if bool(attended.all()) else attended[:, None, None, :]


def _is_plain_step(arguments: dict[str, Any]) -> bool:
    """Whether the mask is for a single query, with no restrictions other than causality and padding."""
    from transformers.masking_utils import causal_mask_function

    return (
        len(arguments["cache_position"]) == 1
        and not arguments.get("kv_offset", 0)
        and arguments.get("mask_function") is causal_mask_function
        and arguments.get("local_size") is None
        and arguments.get("allow_is_causal_skip", True)
    )
