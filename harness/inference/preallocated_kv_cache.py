"""A cache of keys and values with room for a whole answer.

The cache that transformers makes for itself copies all keys and values of a layer for every new token. For a small
model on a CPU that takes as long as attention; on a GPU it needs the memory twice.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache


def preallocated_kv_cache(config: Any, room: int) -> "Cache":
    """Return an empty cache for greedy decoding: sentences stay in their order, which beam search would change.

    Args:
        config: of the language model.
        room: tokens that a sentence has at most, prompt and answer together.
    """
    from transformers import Cache

    return Cache(layers=[_layer_class()(room) for _ in range(config.num_hidden_layers)])


@cache
def _layer_class() -> Any:
    """Return the class of a layer; made on first use, since transformers is imported late."""
    import torch
    from transformers.cache_utils import DynamicLayer

    class PreallocatedLayer(DynamicLayer):  # type: ignore[misc]  # transformers is read as Any
        """Keys and values of one layer, written side by side into memory that is taken once."""

        def __init__(self, room: int) -> None:
            super().__init__()
            self._room = room

        def update(
            self,
            key_states: "Tensor",
            value_states: "Tensor",
            cache_kwargs: dict[str, Any] | None = None,  # noqa: ARG002 - the library's signature
        ) -> tuple["Tensor", "Tensor"]:
            """Write new states, shape (sentences, heads, new tokens, channels); return all so far.

            Raises:
                RuntimeError: there is no room left.
            """
            seen = self.get_seq_length()
            if not self.is_initialized:
                self.lazy_initialization(key_states)
                self._all = [self._space(key_states), self._space(value_states)]
            end = seen + key_states.shape[-2]
            if end > self._room:
                raise RuntimeError(f"a cache of {self._room} tokens is asked to hold {end}")
            for space, states in zip(self._all, (key_states, value_states), strict=True):
                space[..., seen:end, :] = states
            self.keys, self.values = (space[..., :end, :] for space in self._all)
            return self.keys, self.values

        def _space(self, states: "Tensor") -> "Tensor":
            *outer, _, channels = states.shape
            return torch.empty(*outer, self._room, channels, dtype=states.dtype, device=states.device)

    return PreallocatedLayer
