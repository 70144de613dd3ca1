"""Prompts, targets and padded batches."""

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
AUDIO_PLACEHOLDER = f"<|audio_bos|>{AUDIO_TOKEN}<|audio_eos|>"
"""Place of the audio in a prompt; the model reads one `<|AUDIO|>` for each 40 ms."""
_ANSWER = "ANSWER"


def render_prompt(processor: "Qwen2AudioProcessor", prompt: Prompt, target_name: str) -> str:
    """Return the text of a prompt, with the English name of the target language and one placeholder for the audio.

    Raises:
        UserError: the text has no placeholder for the audio, or more than one.
    """
    text = prompt.text.replace("{target_lang}", target_name)
    if prompt.chat:
        text = _chat(processor, [_user_turn(text)], add_generation_prompt=True)
    if text.count(AUDIO_PLACEHOLDER) != 1 or text.count(AUDIO_TOKEN) != 1:
        raise UserError(
            f"The prompt {text!r} needs exactly one placeholder for the audio ({AUDIO_PLACEHOLDER}): correct the "
            "task's prompt, or the checkpoint's chat template."
        )
    return text


def _user_turn(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "audio", "audio_url": "speech.wav"}, {"type": "text", "text": text}]}


def _chat(processor: "Qwen2AudioProcessor", turns: list[dict[str, Any]], **kwargs: bool) -> str:
    return str(processor.apply_chat_template(turns, tokenize=False, **kwargs))


def end_token(engine: Engine, prompt: Prompt) -> int:
    """Return the token that ends an answer: that of the chat template, else the tokenizer's own.

    Raises:
        UserError: the chat template drops the assistant's turn, or does not close it with an end token.
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
            "The checkpoint's chat template does not close the assistant's turn with an end token: correct it."
        )
    return int(tokens[0])


@dataclass(frozen=True)
class Example:
    """The model's input for one segment.

    Attributes:
        prompt: token ids of the prompt, with one audio token per position that the audio takes.
        target: token ids of the reference, its end token included; () for decoding.
    """

    features: Features
    prompt: tuple[int, ...]
    target: tuple[int, ...] = ()


def prompt_tokens(processor: "Qwen2AudioProcessor", text: str, features: Features) -> tuple[int, ...]:
    """Return the token ids of a prompt, its placeholder repeated per audio token as the processor does it."""
    expanded = text.replace(AUDIO_TOKEN, AUDIO_TOKEN * features.audio_tokens)
    return tuple(processor.tokenizer(expanded)["input_ids"])


def target_tokens(processor: "Qwen2AudioProcessor", text: str, end: int) -> tuple[int, ...]:
    """Return the token ids of a reference, its end token included."""
    return (*processor.tokenizer(text, add_special_tokens=False)["input_ids"], end)


@dataclass(frozen=True)
class Batch:
    """A padded batch of examples on the model's device.

    Attributes:
        input_ids: int64, shape (examples, tokens).
        attention_mask: int64, same shape; 0 for padding.
        input_features: float32, shape (examples, bins, frames).
        feature_attention_mask: int64, shape (examples, frames); 1 where there is audio.
    """

    input_ids: "Tensor"
    attention_mask: "Tensor"
    input_features: "Tensor"
    feature_attention_mask: "Tensor"

    def arguments(self) -> dict[str, "Tensor"]:
        """Return the keyword arguments of the model."""
        return dict(vars(self))


def left_padded(engine: Engine, examples: Sequence[Example]) -> Batch:
    """Return a batch of prompts for decoding, padded on the left so that all outputs begin at one position."""
    width = max(len(example.prompt) for example in examples)
    fill = [width - len(example.prompt) for example in examples]
    rows = [[engine.pad_token] * n + list(example.prompt) for n, example in zip(fill, examples, strict=True)]
    return _batch(engine, examples, rows, [[0] * n + [1] * (width - n) for n in fill])


def right_padded(engine: Engine, examples: Sequence[Example]) -> Batch:
    """Return a batch of prompts with targets for teacher forcing, padded on the right so that positions start at 0."""
    rows = [[*example.prompt, *example.target] for example in examples]
    width = max(len(row) for row in rows)
    mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
    return _batch(engine, examples, [row + [engine.pad_token] * (width - len(row)) for row in rows], mask)


def _batch(engine: Engine, examples: Sequence[Example], ids: list[list[int]], mask: list[list[int]]) -> Batch:
    import torch

    features = torch.stack([example.features.mel for example in examples])
    frames = torch.tensor([example.features.frames for example in examples])
    feature_mask = (torch.arange(features.shape[-1])[None, :] < frames[:, None]).long()
    parts = (torch.tensor(ids), torch.tensor(mask), features, feature_mask)
    batch = Batch(*(part.to(engine.device) for part in parts))
    token = engine.processor.tokenizer.convert_tokens_to_ids(AUDIO_TOKEN)
    counts = ((batch.input_ids == token) & (batch.attention_mask == 1)).sum(dim=1).tolist()
    if counts != [example.features.audio_tokens for example in examples] or 0 in counts:
        raise RuntimeError(f"the prompts have {counts} audio tokens, which are not those of the features")
    return batch
