"""A cache of the audio encoder's outputs, by batch.

All directions of a test set, and the cross-entropy of its references, use the same segments in the same batches, and
encoding them is a large part of the work. The time that it took is stored with each output.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_CAPACITY = 512 << 20
"""Bytes of all cached outputs together; outputs that do not fit any more are computed each time."""


class EncoderCache:
    """Outputs of one model's audio encoder by their inputs, on the model's device, up to a capacity in bytes."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = self._free = capacity
        self._outputs: dict[bytes, tuple[Any, float]] = {}  # with the seconds that each took

    @contextmanager
    def reuse(self, model: Any, features: "Tensor", mask: "Tensor") -> Iterator[float]:
        """Inside the block, return the encoder output of a batch from the cache, or record it.

        Args:
            model: the model that this cache belongs to; it must run on this batch alone inside the block.
            features: float32, shape (examples, bins, frames).
            mask: shape (examples, frames); 1 where there is audio.

        Yields:
            the seconds that computing the cached output took; 0 where the output is computed inside the block.
        """
        key, tower = _key(features, mask), audio_tower(model)
        output, seconds = self._outputs.get(key, (None, 0.0))
        with self._recording(tower, key) if output is None else _returning(tower, output):
            yield seconds

    def clear(self) -> None:
        """Remove all outputs and release their memory."""
        self._outputs.clear()
        self._free = self._capacity

    @contextmanager
    def _recording(self, tower: Any, key: bytes) -> Iterator[None]:
        begun: list[float] = []

        def record(_tower: Any, _inputs: Any, output: Any) -> None:
            _synchronize(output.last_hidden_state)
            seconds = time.perf_counter() - begun[-1]
            needed = sum(tensor.nbytes for tensor in output.values())
            if key not in self._outputs and needed <= self._free:
                self._free -= needed
                self._outputs[key] = output, seconds

        before = tower.register_forward_pre_hook(lambda *_: begun.append(time.perf_counter()))
        after = tower.register_forward_hook(record)
        try:
            yield
        finally:
            before.remove()
            after.remove()


@contextmanager
def _returning(tower: Any, output: Any) -> Iterator[None]:
    tower.forward = lambda *_inputs, **_named: output
    try:
        yield
    finally:
        del tower.forward  # removes the attribute of the instance, so that the method of the class is found again


def _synchronize(tensor: "Tensor") -> None:
    """Wait until a CUDA device has computed a tensor: kernels run asynchronously, and timing must include them."""
    import torch

    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


def audio_tower(model: Any) -> Any:
    """Return the audio encoder of a model; its path differs between transformers versions."""
    return next(module for name, module in model.named_modules() if name.rpartition(".")[2] == "audio_tower")


def _key(*tensors: "Tensor") -> bytes:
    content = hashlib.blake2b()
    for tensor in tensors:
        content.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        content.update(tensor.contiguous().cpu().numpy().tobytes())
    return content.digest()
