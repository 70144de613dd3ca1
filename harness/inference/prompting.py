"""How the model is asked, and what it should answer: prompts, targets and padded batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.config.task import Prompt
from harness.core.errors import UserError
from harness.inference.engine import Engine
from harness.inference.features import Features

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Qwen2AudioProcessor

AUDIO_TOKEN = "<|AUDIO|>"  # noqa: S105 - a marker in the prompt, no secret
AUDIO_PLACE = f"<|audio_bos|>{AUDIO_TOKEN}<|audio_eos|>"
"""Where the audio stands in a prompt; the model reads one `<|AUDIO|>` for each 40 ms."""
_ANSWER = "ANSWER"


def ask(processor: "Qwen2AudioProcessor", prompt: Prompt, target_name: str) -> str:
    """Return the prompt's text with one place for the audio.

    Args:
        processor: of the checkpoint, for its chat template.
        prompt: as the task states it.
        target_name: the target language's English name.

    Raises:
        UserError: the text has no place for the audio, or more than one.
    """
    text = prompt.text.replace("{target_lang}", target_name)
    if prompt.chat:
        text = _chat(processor, [_user_turn(text)], add_generation_prompt=True)
    if text.count(AUDIO_PLACE) != 1 or text.count(AUDIO_TOKEN) != 1:
        raise UserError(
            f"The prompt {text!r} has not exactly one place for the audio ({AUDIO_PLACE}): correct it in the task, or "
            "the checkpoint's chat template."
        )
    return text


def _user_turn(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "audio", "audio_url": "speech.wav"}, {"type": "text", "text": text}]}


def _chat(processor: "Qwen2AudioProcessor", turns: list[dict[str, Any]], **kwargs: bool) -> str:
    return str(processor.apply_chat_template(turns, tokenize=False, **kwargs))


def end_token(engine: Engine, prompt: Prompt) -> int:
    """Return the token with which an answer ends: what follows it in the chat template, else the tokenizer's own.

    Raises:
        UserError: the chat template leaves the answer out or open.
    """
    tokenizer = engine.processor.tokenizer
    if not prompt.chat:
        own = tokenizer.eos_token_id
        return int(own) if own is not None else engine.end_tokens[0]
    turns = [_user_turn(prompt.text), {"role": "assistant", "content": _ANSWER}]
    after = _chat(engine.processor, turns).rpartition(_ANSWER)[2]
    tokens = tokenizer(after, add_special_tokens=False)["input_ids"]
    if not tokens or tokens[0] not in engine.end_tokens:
        raise UserError(
            "The checkpoint's chat template does not close the assistant's turn with an end token: mend it."
        )
    return int(tokens[0])


@dataclass(frozen=True)
class Example:
    """One segment as the model reads it.

    Attributes:
        features: what it hears.
        prompt: token ids of the prompt, with one audio token per position that the audio takes.
        target: token ids of the answer, or () when the model shall find it.
    """

    features: Features
    prompt: tuple[int, ...]
    target: tuple[int, ...] = ()


def prompt_tokens(processor: "Qwen2AudioProcessor", text: str, features: Features) -> tuple[int, ...]:
    """Return the token ids of a prompt with its place for the audio widened, as the processor does it."""
    widened = text.replace(AUDIO_TOKEN, AUDIO_TOKEN * features.audio_tokens)
    return tuple(processor.tokenizer(widened)["input_ids"])


def target_tokens(processor: "Qwen2AudioProcessor", text: str, end: int) -> tuple[int, ...]:
    """Return the token ids of an answer, its end token included."""
    return (*processor.tokenizer(text, add_special_tokens=False)["input_ids"], end)


@dataclass(frozen=True)
class Batch:
    """Examples side by side, on the model's device.

    Attributes:
        input_ids: int64, shape (examples, tokens).
        attention_mask: int64, same shape; 0 hides what fills up.
        input_features: float32, shape (examples, bins, frames).
        feature_attention_mask: int64, shape (examples, frames); 1 where there is audio.
    """

    input_ids: "Tensor"
    attention_mask: "Tensor"
    input_features: "Tensor"
    feature_attention_mask: "Tensor"

    def arguments(self) -> dict[str, "Tensor"]:
        """Return the keyword arguments of the model."""
        return {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "input_features": self.input_features,
            "feature_attention_mask": self.feature_attention_mask,
        }


def left_padded(engine: Engine, examples: Sequence[Example]) -> Batch:
    """Put prompts side by side for decoding: filled up on the left, so that all answers begin at one position."""
    width = max(len(example.prompt) for example in examples)
    rows = [([0] * (width - len(e.prompt)) + [1] * len(e.prompt), list(e.prompt)) for e in examples]
    fill = [[engine.pad_token] * (width - len(ids)) + ids for _, ids in rows]
    return _batch(engine, examples, fill, [mask for mask, _ in rows])


def right_padded(engine: Engine, examples: Sequence[Example]) -> Batch:
    """Put prompts with their answers side by side for teacher forcing: filled up on the right, positions from 0."""
    rows = [[*example.prompt, *example.target] for example in examples]
    width = max(len(row) for row in rows)
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    return _batch(engine, examples, [row + [engine.pad_token] * (width - len(row)) for row in rows], mask)


def _batch(engine: Engine, examples: Sequence[Example], ids: list[list[int]], mask: list[list[int]]) -> Batch:
    import torch

    features = torch.stack([example.features.mel for example in examples])
    valid = torch.tensor([example.features.frames for example in examples])
    heard = (torch.arange(features.shape[-1])[None, :] < valid[:, None]).long()
    parts = (torch.tensor(ids), torch.tensor(mask), features, heard)
    batch = Batch(*(part.to(engine.device) for part in parts))
    _check_decoded(engine, examples, batch)
    return batch


def _check_decoded(engine: Engine, examples: Sequence[Example], batch: Batch) -> None:
    """Hold that every row has audio, and a place for all of it."""
    token = engine.processor.tokenizer.convert_tokens_to_ids(AUDIO_TOKEN)
    places = ((batch.input_ids == token) & (batch.attention_mask == 1)).sum(dim=1).tolist()
    if places != [example.features.audio_tokens for example in examples] or 0 in places:
        raise RuntimeError(f"the prompt has {places} audio tokens, which are not those of the features")
