"""Greedy decoding of one batch, which is split when it does not fit in memory."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.config.decoding_guards import LengthBound
from harness.core.errors import UserError
from harness.core.progress import log
from harness.inference.decode_mask import fast_decode_masks
from harness.inference.engine import Engine, require_audio_input
from harness.inference.hypothesis import StopReason
from harness.inference.preallocated_kv_cache import preallocated_kv_cache
from harness.inference.prompting import Example, left_padded

if TYPE_CHECKING:
    from torch import Tensor

# PyTorch has an exception for CUDA's allocator alone: other allocators raise a RuntimeError with one of these texts.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED", "out of memory")
_GREEDY = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "num_beams": 1}


@dataclass(frozen=True)
class Decoded:
    """The decoded output for one example.

    Attributes:
        text: without special tokens, on one line.
        tokens: number of generated tokens, the end token included.
        stop: why decoding stopped.
        seconds: wall-clock seconds of the model on the batch, divided by its examples, without reading audio; for an
            encoder output from the cache, the time that computing it took is included.
        batch_size: examples that were decoded together.
    """

    text: str
    tokens: int
    stop: StopReason
    seconds: float
    batch_size: int


@dataclass(frozen=True)
class DecodingConstraints:
    """Options of greedy decoding.

    Attributes:
        length_bound: limits each output by the length of its audio; None for `max_new_tokens` alone.
        no_repeat_ngram: n-grams of this many tokens occur only once in an output; 0 for no restriction.
        use_encoder_cache: whether encoder outputs are read from, and recorded in, the engine's cache.
    """

    length_bound: LengthBound | None = None
    no_repeat_ngram: int = 0
    use_encoder_cache: bool = False

    def limit(self, example: Example, max_new_tokens: int) -> int:
        """Return the largest number of tokens of one output."""
        bound = self.length_bound
        return min(max_new_tokens, bound.tokens(example.features.seconds)) if bound else max_new_tokens


UNCONSTRAINED = DecodingConstraints()
"""Plain greedy decoding."""


def decode(
    engine: Engine, examples: Sequence[Example], max_new_tokens: int, constraints: DecodingConstraints = UNCONSTRAINED
) -> list[Decoded]:
    """Decode a batch greedily; a batch that does not fit in memory is decoded in two halves, recursively.

    Raises:
        UserError: a single example does not fit in memory, or the model computes NaN.
    """
    decoded = _try_decode(engine, examples, max_new_tokens, constraints)
    if decoded is not None:
        return decoded
    if len(examples) == 1:
        raise UserError("Out of memory with a single segment: use a device with more memory, or a smaller artifact.")
    half = (len(examples) + 1) // 2
    log(f"Out of memory with a batch of {len(examples)}: continuing with {half}.")
    first, second = examples[:half], examples[half:]
    return decode(engine, first, max_new_tokens, constraints) + decode(engine, second, max_new_tokens, constraints)


def _try_decode(
    engine: Engine, examples: Sequence[Example], max_new_tokens: int, constraints: DecodingConstraints
) -> list[Decoded] | None:
    """Decode, or return None when memory runs out."""
    import torch

    limits = [constraints.limit(example, max_new_tokens) for example in examples]
    try:
        return _decode(engine, examples, limits, constraints)
    except (MemoryError, RuntimeError) as error:
        no_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not no_memory and not any(text in str(error) for text in _OUT_OF_MEMORY):
            raise
    # Outside the handler: the traceback would keep the tensors of the failed batch alive.
    engine.encoder_cache.clear()
    torch.cuda.empty_cache()  # does nothing without CUDA
    return None


def _decode(
    engine: Engine, examples: Sequence[Example], limits: Sequence[int], constraints: DecodingConstraints
) -> list[Decoded]:
    import torch
    from transformers import LogitsProcessorList, StoppingCriteriaList

    batch = left_padded(engine, examples)
    width = batch.input_ids.shape[1]
    repeats = [_NoRepeatNgrams(width, constraints.no_repeat_ngram)] if constraints.no_repeat_ngram else []
    audio = (batch.input_features, batch.feature_attention_mask)
    encoder = engine.encoder_cache.reuse(engine.model, *audio) if constraints.use_encoder_cache else nullcontext(0.0)
    with torch.inference_mode(), require_audio_input(engine.model), encoder as cached_seconds, fast_decode_masks():
        begin = time.perf_counter()
        output = engine.model.generate(
            **batch.arguments(),
            past_key_values=preallocated_kv_cache(engine.model.config.text_config, width + max(limits)),
            generation_config=_greedy(engine, max(limits)),
            use_model_defaults=False,
            logits_processor=LogitsProcessorList([*repeats, _RaiseOnNan()]),
            stopping_criteria=StoppingCriteriaList([_stop_at(width, limits)] if min(limits) < max(limits) else []),
        )
        rows = [row[:limit] for row, limit in zip(output[:, width:].tolist(), limits, strict=True)]
        seconds = (cached_seconds + time.perf_counter() - begin) / len(examples)
    return [_decoded(engine, row, seconds, len(examples)) for row in rows]


def _stop_at(width: int, limits: Sequence[int]) -> Callable[..., "Tensor"]:
    """Return a stopping criterion that ends each output at its own limit, behind `width` tokens of padded prompt."""
    import torch

    most = torch.tensor(limits)
    return lambda ids, _scores, **_: ids.shape[1] - width >= most.to(ids.device)


class _NoRepeatNgrams:
    """Forbids repeated n-grams behind a padded prompt of `width` tokens; transformers' own also counts the prompt."""

    def __init__(self, width: int, size: int) -> None:
        from transformers import NoRepeatNGramLogitsProcessor

        self._width, self._inner = width, NoRepeatNGramLogitsProcessor(size)

    def __call__(self, ids: "Tensor", scores: "Tensor") -> "Tensor":
        """Return the scores, shape (sentences, vocabulary), with -inf for tokens that would complete a repetition."""
        masked: Tensor = self._inner(ids[:, self._width :], scores)
        return masked


def _greedy(engine: Engine, max_new_tokens: int) -> Any:
    """Return generation settings without the checkpoint's sampling and penalties, which instruct checkpoints have.

    `generate` needs `use_model_defaults=False` as well: without it, the checkpoint's values replace default values.
    """
    from transformers import GenerationConfig

    return GenerationConfig(
        **_GREEDY, max_new_tokens=max_new_tokens, eos_token_id=list(engine.end_tokens), pad_token_id=engine.pad_token
    )


class _RaiseOnNan:
    """Logits processor that raises an error for NaN, since argmax over NaN would return some token."""

    # A class, not a function: transformers inspects the signature of every processor's `__call__` at every step, and
    # that of a function takes several times longer to find.
    def __call__(self, _ids: "Tensor", scores: "Tensor") -> "Tensor":
        if bool(scores.isnan().any()):
            raise UserError("The model computes NaN: load it in another dtype, or build the artifact again.")
        return scores


def _decoded(engine: Engine, row: list[int], seconds: float, batch_size: int) -> Decoded:
    ends = set(engine.end_tokens)
    length = next((index + 1 for index, token in enumerate(row) if token in ends), len(row))
    stop = StopReason.EOS if row[length - 1] in ends else StopReason.LENGTH
    text = engine.processor.tokenizer.decode(row[:length], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Decoded(collapse_line_breaks(text), length, stop, seconds, batch_size)


def collapse_line_breaks(text: str) -> str:
    """Replace line breaks of every kind by one space each; unlike `one_line`, drop the white space around them."""
    return " ".join(part.strip() for part in text.splitlines() if part.strip())
