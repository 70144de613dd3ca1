"""Decoding one batch: greedy, watched, and halved when it does not fit in memory."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.config.decoding_guards import LengthBound
from harness.core.errors import UserError
from harness.core.progress import log
from harness.inference.decode_mask import light_decode_masks
from harness.inference.engine import Engine, require_audio_input
from harness.inference.hypothesis import Stop
from harness.inference.preallocated_kv_cache import preallocated_kv_cache
from harness.inference.prompting import Example, left_padded

if TYPE_CHECKING:
    from torch import Tensor

_NO_MEMORY = ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED", "out of memory")


@dataclass(frozen=True)
class Decoded:
    """What the model said to one example.

    Attributes:
        text: the answer without special tokens, on one line.
        tokens: generated tokens, the end token included.
        stop: why it stopped.
        seconds: wall-clock seconds that the model took for the batch, divided by its examples; audio was read before.
            Where the batch was heard for another direction, the time that hearing took then is part of it.
        batch_size: examples that were decoded together.
    """

    text: str
    tokens: int
    stop: Stop
    seconds: float
    batch_size: int


@dataclass(frozen=True)
class DecodingConstraints:
    """How greedy decoding is done.

    Attributes:
        length_bound: bounds each answer by the length of its audio; None for one bound for all.
        no_repeat_ngram: no stretch of so many tokens comes twice in an answer; 0 to let everything come.
        recall: whether what the model made of the same audio before may be used, and is kept for others.
    """

    length_bound: LengthBound | None = None
    no_repeat_ngram: int = 0
    recall: bool = False

    def limit(self, example: Example, max_new_tokens: int) -> int:
        """Return the most tokens of one answer."""
        if self.length_bound is None:
            return max_new_tokens
        return min(max_new_tokens, self.length_bound.tokens(example.features.seconds))


UNCONSTRAINED = DecodingConstraints()
"""Greedy decoding by its definition."""


def decode(
    engine: Engine, examples: Sequence[Example], max_new_tokens: int, constraints: DecodingConstraints = UNCONSTRAINED
) -> list[Decoded]:
    """Decode a batch greedily; when it does not fit in memory, in two halves, and so on.

    Args:
        engine: the model.
        examples: what it hears and how it is asked.
        max_new_tokens: generated tokens per example at most.
        constraints: what holds it back, and whether it may recall.

    Raises:
        UserError: not even one example fits, or the model computes NaN.
    """
    decoded = _attempt(engine, examples, max_new_tokens, constraints)
    if decoded is not None:
        return decoded
    if len(examples) == 1:
        raise UserError("Out of memory with a single segment: use a device with more memory, or a smaller artifact.")
    half = (len(examples) + 1) // 2
    log(f"Out of memory with a batch of {len(examples)}: going on with {half}.")
    first, second = examples[:half], examples[half:]
    return decode(engine, first, max_new_tokens, constraints) + decode(engine, second, max_new_tokens, constraints)


def _attempt(
    engine: Engine, examples: Sequence[Example], max_new_tokens: int, constraints: DecodingConstraints
) -> list[Decoded] | None:
    """Decode, or return None when memory ran out; the frames that held the memory are gone by then."""
    try:
        return _decode(
            engine, examples, [constraints.limit(example, max_new_tokens) for example in examples], constraints
        )
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
    engine.encoder_cache.forget()
    _release()
    return None


def _out_of_memory(error: Exception) -> bool:
    import torch

    no_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return no_memory or any(mark in str(error) for mark in _NO_MEMORY)


def _release() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _decode(
    engine: Engine, examples: Sequence[Example], limits: Sequence[int], constraints: DecodingConstraints
) -> list[Decoded]:
    import torch
    from transformers import LogitsProcessorList, StoppingCriteriaList

    batch = left_padded(engine, examples)
    width = batch.input_ids.shape[1]
    repeats = [_NoRepeats(width, constraints.no_repeat_ngram)] if constraints.no_repeat_ngram else []
    sound = (batch.input_features, batch.feature_attention_mask)
    hearing = engine.encoder_cache.reuse(engine.model, *sound) if constraints.recall else nullcontext(0.0)
    with torch.inference_mode(), require_audio_input(engine.model), hearing as before, light_decode_masks():
        begin = time.perf_counter()
        output = engine.model.generate(
            **batch.arguments(),
            past_key_values=preallocated_kv_cache(engine.model.config.text_config, width + max(limits)),
            generation_config=_greedy(engine, max(limits)),
            use_model_defaults=False,
            logits_processor=LogitsProcessorList([*repeats, _RefuseNan()]),
            stopping_criteria=StoppingCriteriaList([_bounds(width, limits)] if min(limits) < max(limits) else []),
        )
        rows = [row[:limit] for row, limit in zip(output[:, width:].tolist(), limits, strict=True)]
        seconds = (before + time.perf_counter() - begin) / len(examples)
    return [_decoded(engine, row, seconds, len(examples)) for row in rows]


def _bounds(width: int, limits: Sequence[int]) -> Callable[..., "Tensor"]:
    """Return what ends each answer at its own limit; `width` tokens come before the answers."""
    import torch

    most = torch.tensor(limits)

    def reached(ids: "Tensor", _scores: "Tensor", **_: Any) -> "Tensor":
        return ids.shape[1] - width >= most.to(ids.device)

    return reached


class _NoRepeats:
    """Keeps an answer from repeating itself; the prompt before it, `width` tokens, does not count."""

    def __init__(self, width: int, size: int) -> None:
        from transformers import NoRepeatNGramLogitsProcessor

        self._width, self._inner = width, NoRepeatNGramLogitsProcessor(size)

    def __call__(self, ids: "Tensor", scores: "Tensor") -> "Tensor":
        """Return the scores, shape (sentences, vocabulary), without tokens that would repeat a stretch."""
        held_back: Tensor = self._inner(ids[:, self._width :], scores)
        return held_back


def _greedy(engine: Engine, max_new_tokens: int) -> Any:
    """Return settings in which nothing of the checkpoint's own sampling or penalties is left.

    Instruct checkpoints ship sampling and a repetition penalty; `use_model_defaults=False` keeps transformers from
    filling them in again.
    """
    from transformers import GenerationConfig

    return GenerationConfig(
        do_sample=False,
        temperature=None,
        top_p=None,
        top_k=None,
        num_beams=1,
        max_new_tokens=max_new_tokens,
        eos_token_id=list(engine.end_tokens),
        pad_token_id=engine.pad_token,
    )


class _RefuseNan:
    """Stops where the largest of the scores would be picked among NaN.

    An object, since transformers asks for the signature of every processor's `__call__` at every step, and that of a
    function is several times slower to find.
    """

    def __call__(self, _ids: "Tensor", scores: "Tensor") -> "Tensor":
        """Return the scores, shape (sentences, vocabulary), as they are.

        Raises:
            UserError: one is NaN.
        """
        if bool(scores.isnan().any()):
            raise UserError("The model computes NaN: load it in another dtype, or build the artifact again.")
        return scores


def _decoded(engine: Engine, row: list[int], seconds: float, batch_size: int) -> Decoded:
    ends = set(engine.end_tokens)
    length = next((index + 1 for index, token in enumerate(row) if token in ends), len(row))
    stop = Stop.EOS if row[length - 1] in ends else Stop.LENGTH
    text = engine.processor.tokenizer.decode(row[:length], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Decoded(one_line(text), length, stop, seconds, batch_size)


def one_line(text: str) -> str:
    """Collapse line breaks of every kind, with the white space around them, to one space."""
    return " ".join(part.strip() for part in text.splitlines() if part.strip())
