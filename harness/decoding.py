"""Decoding one batch: greedy, watched, and halved when it does not fit in memory."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.caution import LengthBound
from harness.engine import Engine, must_hear
from harness.errors import UserError
from harness.hypothesis import Stop
from harness.progress import say
from harness.prompting import Example, left_padded
from harness.roomy_cache import roomy_cache
from harness.step_mask import light_step_masks

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
        batch_size: examples that were decoded together.
    """

    text: str
    tokens: int
    stop: Stop
    seconds: float
    batch_size: int


@dataclass(frozen=True)
class Style:
    """How greedy decoding is held back.

    Attributes:
        length_bound: bounds each answer by the length of its audio; None for one bound for all.
        no_repeat_ngram: no stretch of so many tokens comes twice in an answer; 0 to let everything come.
    """

    length_bound: LengthBound | None = None
    no_repeat_ngram: int = 0

    def limit(self, example: Example, max_new_tokens: int) -> int:
        """Return the most tokens of one answer."""
        if self.length_bound is None:
            return max_new_tokens
        return min(max_new_tokens, self.length_bound.tokens(example.features.seconds))


PLAIN = Style()
"""Greedy decoding by its definition."""


def decode(engine: Engine, examples: Sequence[Example], max_new_tokens: int, style: Style = PLAIN) -> list[Decoded]:
    """Decode a batch greedily; when it does not fit in memory, in two halves, and so on.

    Args:
        engine: the model.
        examples: what it hears and how it is asked.
        max_new_tokens: generated tokens per example at most.
        style: what holds it back.

    Raises:
        UserError: not even one example fits, or the model computes NaN.
    """
    decoded = _attempt(engine, examples, max_new_tokens, style)
    if decoded is not None:
        return decoded
    if len(examples) == 1:
        raise UserError("Out of memory with a single segment: use a device with more memory, or a smaller artifact.")
    half = (len(examples) + 1) // 2
    say(f"Out of memory with a batch of {len(examples)}: going on with {half}.")
    first, second = examples[:half], examples[half:]
    return decode(engine, first, max_new_tokens, style) + decode(engine, second, max_new_tokens, style)


def _attempt(engine: Engine, examples: Sequence[Example], max_new_tokens: int, style: Style) -> list[Decoded] | None:
    """Decode, or return None when memory ran out; the frames that held the memory are gone by then."""
    try:
        return _decode(engine, examples, [style.limit(example, max_new_tokens) for example in examples], style)
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
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


def _decode(engine: Engine, examples: Sequence[Example], limits: Sequence[int], style: Style) -> list[Decoded]:
    import torch
    from transformers import LogitsProcessorList, StoppingCriteriaList

    batch = left_padded(engine, examples)
    width = batch.input_ids.shape[1]
    keeping = engine.heard.keeping(engine.model, batch.input_features, batch.feature_attention_mask)
    with torch.inference_mode(), must_hear(engine.model), keeping, light_step_masks():
        begin = time.perf_counter()
        output = engine.model.generate(
            **batch.arguments(),
            past_key_values=roomy_cache(engine.model.config.text_config, width + max(limits)),
            generation_config=_greedy(engine, max(limits)),
            use_model_defaults=False,
            logits_processor=LogitsProcessorList([*_no_repeats(width, style), _refuse_nan]),
            stopping_criteria=StoppingCriteriaList([_bounds(width, limits)] if min(limits) < max(limits) else []),
        )
        rows = [row[:limit] for row, limit in zip(output[:, width:].tolist(), limits, strict=True)]
        seconds = (time.perf_counter() - begin) / len(examples)
    return [_decoded(engine, row, seconds, len(examples)) for row in rows]


def _bounds(width: int, limits: Sequence[int]) -> Callable[..., "Tensor"]:
    """Return what ends each answer at its own limit; `width` tokens come before the answers."""
    import torch

    most = torch.tensor(limits)

    def reached(ids: "Tensor", _scores: "Tensor", **_: Any) -> "Tensor":
        return ids.shape[1] - width >= most.to(ids.device)

    return reached


def _no_repeats(width: int, style: Style) -> list[Callable[..., "Tensor"]]:
    """Return what keeps an answer from repeating itself; the prompt before it does not count."""
    from transformers import NoRepeatNGramLogitsProcessor

    if not style.no_repeat_ngram:
        return []
    inner = NoRepeatNGramLogitsProcessor(style.no_repeat_ngram)
    return [lambda ids, scores: inner(ids[:, width:], scores)]


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


def _refuse_nan(_ids: "Tensor", scores: "Tensor") -> "Tensor":
    """Stop where the largest of the scores would be picked among NaN."""
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
