"""Forward passes that start at a given decoder layer, with the states before it computed once.

A change in layer i does not affect the layers before it. Therefore the hidden states of all sentences are kept at one
layer and advanced layer by layer: a sweep over all layers costs little more than half of as many full passes, and the
audio tower runs once.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from harness.core.progress import Advance
from harness.inference.engine import Engine
from harness.inference.prompting import Example, right_padded

if TYPE_CHECKING:
    from torch import Tensor


class _CapturedError(Exception):
    """Ends a forward pass before the first decoder layer."""


def decoder_of(model: Any) -> Any:
    """Return the language model's decoder: the module with `layers`, `embed_tokens` and `norm`."""
    return next(module for module in model.modules() if hasattr(module, "embed_tokens") and hasattr(module, "layers"))


class Prefix:
    """The hidden states of all sentences before one decoder layer, at first the first one.

    `advance` is called with the number of sentences after each batch.
    """

    def __init__(self, engine: Engine, batches: Sequence[Sequence[Example]], advance: Advance) -> None:
        self._decoder = decoder_of(engine.model)
        self._head = engine.model.get_output_embeddings()
        self._batches = batches
        self._states: list[Tensor] = []
        self._arguments: list[dict[str, Any]] = []
        self.layer = 0
        for batch in batches:
            self._capture(engine, batch)
            advance(len(batch))

    def _capture(self, engine: Engine, examples: Sequence[Example]) -> None:
        import torch

        def keep(_module: Any, inputs: tuple[Any, ...], arguments: dict[str, Any]) -> None:
            hidden = inputs[0] if inputs else arguments.pop("hidden_states")
            self._states.append(hidden)
            self._arguments.append({**arguments, "use_cache": False})
            raise _CapturedError

        hook = self._decoder.layers[0].register_forward_pre_hook(keep, with_kwargs=True)
        try:
            with torch.inference_mode(), suppress(_CapturedError):
                engine.model(**right_padded(engine, examples).arguments(), use_cache=False)
        finally:
            hook.remove()

    def captured(self) -> list[tuple["Tensor", dict[str, Any]]]:
        """Return each batch's states, shape (sentences, tokens, hidden), with the layers' other arguments."""
        return list(zip(self._states, self._arguments, strict=True))

    def move_on(self) -> None:
        """Advance the states by one layer, with the layer's current weights."""
        import torch

        with torch.inference_mode():
            for index, arguments in enumerate(self._arguments):
                self._states[index] = run_layer(self._decoder.layers[self.layer], self._states[index], arguments)
        self.layer += 1

    def nats(self) -> list[float]:
        """Return the cross-entropy of every target in nats, summed over its tokens, in the order of the batches.

        The layers from the current one on are computed with the model's current weights.
        """
        import torch

        found: list[float] = []
        with torch.inference_mode():
            for state, arguments, batch in zip(self._states, self._arguments, self._batches, strict=True):
                for layer in self._decoder.layers[self.layer :]:
                    state = run_layer(layer, state, arguments)  # noqa: PLW2901 - the state moves through the layers
                found += self._finish(state, batch)
        return found

    def _finish(self, state: "Tensor", batch: Sequence[Example]) -> list[float]:
        """Return the nats for the last layer's output; the head is applied only where a target token is predicted."""
        import torch

        begins = [len(example.prompt) - 1 for example in batch]
        lengths = [len(example.target) for example in batch]
        places = torch.cat([state[i, b : b + n] for i, (b, n) in enumerate(zip(begins, lengths, strict=True))])
        logits = self._head(self._decoder.norm(places)).float()
        targets = torch.tensor([token for example in batch for token in example.target], device=logits.device)
        each = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        return [float(part.sum()) for part in torch.split(each, lengths)]


def run_layer(layer: Any, state: "Tensor", arguments: dict[str, Any]) -> "Tensor":
    """Return the output of one decoder layer, shape (sentences, tokens, hidden)."""
    output = layer(state, **arguments)
    # transformers 4.57 returns the tensor, earlier versions a tuple.
    result: Tensor = output[0] if isinstance(output, tuple) else output
    return result
