"""What the audio tower made of a batch, remembered for whoever lets the model hear the same batch again.

All directions of a test set, and the foreseeing of its references, hear the same segments in the same batches, and
reuse is a good part of the work. How long it took is remembered with it.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_MEMORY_BYTES = 512 << 20
"""Outputs are remembered up to this many bytes in all; what comes later is heard again."""


@dataclass(frozen=True)
class _EncoderOutput:
    """An output of the tower, and the seconds that it took."""

    output: Any
    seconds: float


class EncoderCache:
    """Outputs of one model's audio tower by what went in; they stay on the model's device."""

    def __init__(self, capacity: int = _MEMORY_BYTES) -> None:
        self._capacity = self._free = capacity
        self._known: dict[bytes, _EncoderOutput] = {}

    @contextmanager
    def reuse(self, model: Any, features: "Tensor", mask: "Tensor") -> Iterator[float]:
        """Let the tower return what it made of a batch before, else let it hear, and remember what it makes of it.

        Args:
            model: the one whose outputs are kept here; it hears this batch alone inside the block.
            features: float32, shape (examples, bins, frames).
            mask: shape (examples, frames); 1 where there is audio.

        Yields:
            seconds that reuse took before; 0 when the tower hears now.
        """
        key = _key(features, mask)
        known = self._known.get(key)
        with self._recording(audio_tower(model), key) if known is None else _returning(audio_tower(model), known):
            yield 0.0 if known is None else known.seconds

    def forget(self) -> None:
        """Give the memory back."""
        self._known.clear()
        self._free = self._capacity

    @contextmanager
    def _recording(self, tower: Any, key: bytes) -> Iterator[None]:
        begun: list[float] = []

        def keep(_tower: Any, _inputs: Any, output: Any) -> None:
            _finish(output.last_hidden_state)
            self._put(key, _EncoderOutput(output, time.perf_counter() - begun[-1]))

        watches = [
            tower.register_forward_pre_hook(lambda *_: begun.append(time.perf_counter())),
            tower.register_forward_hook(keep),
        ]
        try:
            yield
        finally:
            for watch in watches:
                watch.remove()

    def _put(self, key: bytes, known: _EncoderOutput) -> None:
        needed = sum(tensor.nbytes for tensor in known.output.values())
        if key not in self._known and needed <= self._free:
            self._free -= needed
            self._known[key] = known


@contextmanager
def _returning(tower: Any, known: _EncoderOutput) -> Iterator[None]:
    tower.forward = lambda *_inputs, **_named: known.output
    try:
        yield
    finally:
        del tower.forward  # the class's own shows again


def _finish(tensor: "Tensor") -> None:
    """Wait until a device has computed a tensor, so that the time taken is the time it took."""
    import torch

    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


def audio_tower(model: Any) -> Any:
    """Return the module of a model that hears, wherever it lies."""
    return next(module for name, module in model.named_modules() if name.rpartition(".")[2] == "audio_tower")


def _key(*tensors: "Tensor") -> bytes:
    content = hashlib.blake2b()
    for tensor in tensors:
        content.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        content.update(tensor.contiguous().cpu().numpy().tobytes())
    return content.digest()
