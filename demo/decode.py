"""Greedy translation and BLEU for the demo's report."""

from typing import Any

import sacrebleu
import torch
from transformers import Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor

from demo.corpus import Row
from demo.model import IDS
from demo.prompts import Prompt
from demo.speech import RATE, Samples

LONGEST_OUTPUT = 64


def translate(
    model: Qwen2AudioForConditionalGeneration,
    processor: Qwen2AudioProcessor,
    audio: list[Samples],
    prompt: str,
    batch_size: int = 50,
) -> list[str]:
    """Return greedy translations in the order of `audio`; batches are left-padded, the longest audio first."""
    order = sorted(range(len(audio)), key=lambda index: -len(audio[index]))
    texts: dict[int, str] = {}
    for first in range(0, len(order), batch_size):
        part = order[first : first + batch_size]
        found = _batch(model, processor, [audio[index] for index in part], prompt)
        texts.update(zip(part, found, strict=True))
    return [texts[index] for index in range(len(audio))]


def _batch(
    model: Qwen2AudioForConditionalGeneration,
    processor: Qwen2AudioProcessor,
    audio: list[Samples],
    prompt: str,
) -> list[str]:
    processor.tokenizer.padding_side = "left"
    inputs = processor(
        text=[prompt] * len(audio),
        audio=audio,
        sampling_rate=RATE,
        return_tensors="pt",
        padding=True,
    ).to(model.device)
    settings: dict[str, Any] = {"do_sample": False, "max_new_tokens": LONGEST_OUTPUT}
    ends = [IDS["<|endoftext|>"], IDS["<|im_end|>"]]
    with torch.inference_mode():
        ids = model.generate(**inputs, **settings, eos_token_id=ends, pad_token_id=IDS["<|endoftext|>"])
    new = ids[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in processor.batch_decode(new, skip_special_tokens=True)]


def bleu(hypotheses: list[str], references: list[str], language: str) -> float:
    """Return BLEU, with sacrebleu's tokenizer of the language."""
    tokenizer = "zh" if language == "zh" else "13a"
    return float(sacrebleu.corpus_bleu(hypotheses, [references], tokenize=tokenizer).score)


def evaluate(
    model: Qwen2AudioForConditionalGeneration,
    processor: Qwen2AudioProcessor,
    rows: list[tuple[Row, Samples]],
    prompt: Prompt,
) -> dict[str, float]:
    """Return BLEU in both directions."""
    audio = [samples for _, samples in rows]
    scores = {}
    for language in ("de", "zh"):
        found = translate(model, processor, audio, prompt.text(language))
        references = [getattr(row, language) for row, _ in rows]
        scores[language] = round(bleu(found, references, language), 2)
    return scores
