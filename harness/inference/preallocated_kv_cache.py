"""A key-value cache that is allocated once for the whole output.

The default cache of transformers concatenates, and so copies, all keys and values of a layer at every new token. For a
small model on a CPU that takes as long as attention; on a GPU it needs the memory twice.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache


def preallocated_kv_cache(config: Any, capacity: int) -> "Cache":
    """Return an empty cache for greedy decoding of a language model; it cannot reorder sentences, as beam search needs.

    `capacity` is the largest number of tokens of a sentence, prompt and output together.
    """
    from transformers import Cache

    return Cache(layers=[_layer_class()(capacity) for _ in range(config.num_hidden_layers)])


@cache
def _layer_class() -> Any:
    """Return the class of a layer, defined on first use because its base class needs transformers."""
    import torch
    from transformers.cache_utils import DynamicLayer

    class PreallocatedLayer(DynamicLayer):  # type: ignore[misc]  # transformers is read as Any
        """Keys and values of one layer, in buffers that are allocated once."""

        def __init__(self, capacity: int) -> None:
            super().__init__()
            self._capacity = capacity

        def update(
            self,
            key_states: "Tensor",
            value_states: "Tensor",
            cache_kwargs: dict[str, Any] | None = None,  # noqa: ARG002 - the library's signature
        ) -> tuple["Tensor", "Tensor"]:
            """Append new states, shape (sentences, heads, new tokens, channels), and return all states."""
            seen = self.get_seq_length()
            if not self.is_initialized:
                self.lazy_initialization(key_states)
                self._buffers = [self._allocate(key_states), self._allocate(value_states)]
            end = seen + key_states.shape[-2]
            if end > self._capacity:
                raise RuntimeError(f"a cache of {self._capacity} tokens cannot hold {end}")
            for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
                buffer[..., seen:end, :] = states
            self.keys, self.values = (buffer[..., :end, :] for buffer in self._buffers)
            return self.keys, self.values

        def _allocate(self, states: "Tensor") -> "Tensor":
            *outer, _, channels = states.shape
            return torch.empty(*outer, self._capacity, channels, dtype=states.dtype, device=states.device)

    return PreallocatedLayer
