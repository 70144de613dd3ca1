"""Prompts and batches, compared with the checkpoint's own processor."""

from dataclasses import replace

import pytest
import torch

from harness.audio.recording import open_recording, read_stretch
from harness.config.task import Prompt
from harness.core.errors import UserError
from harness.inference.features import FeatureReader
from harness.inference.prompting import Example, end_token, left_padded, prompt_tokens, render_prompt
from tests.helpers.tiny_engine import BASE, CHAT, TinySystem


@pytest.mark.parametrize("prompt", [BASE, CHAT])
def test_inputs_are_those_of_the_processor(tiny: TinySystem, prompt: Prompt) -> None:
    """Forbids other features or token ids than transformers' processor computes from the same audio and prompt."""
    processor, test_set = tiny.engine.processor, tiny.test_set
    assert test_set.gold is not None
    segment = test_set.gold.segments[3]
    samples = read_stretch(open_recording(test_set.audio / segment.wav), segment.offset, segment.duration)
    text = render_prompt(processor, prompt, "German")
    expected = processor(text=[text], audio=[samples], sampling_rate=16_000, return_tensors="pt")
    features = FeatureReader(test_set, processor.feature_extractor).extract(segment)
    batch = left_padded(tiny.engine, [Example(features, prompt_tokens(processor, text, features))])
    assert expected["feature_attention_mask"].sum() > 0
    for name, tensor in batch.arguments().items():
        assert torch.equal(tensor, expected[name].to(tensor.dtype)), name


def test_the_prompts_of_the_papers(tiny: TinySystem) -> None:
    """Forbids other wording: Diet-KIT's table 7, and the second paper's request in the checkpoint's chat template."""
    processor = tiny.engine.processor
    plain = "<|audio_bos|><|AUDIO|><|audio_eos|>Translate this speech to German: \n"
    assert render_prompt(processor, BASE, "German") == plain
    assert render_prompt(processor, CHAT, "Chinese") == (
        "<|im_start|>user\nAudio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\n"
        "Translate this English speech into Chinese.<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("text", ["Translate to {target_lang}:", "<|audio_bos|><|AUDIO|><|audio_eos|><|AUDIO|>"])
def test_a_prompt_needs_one_placeholder_for_the_audio(tiny: TinySystem, text: str) -> None:
    """Forbids a prompt without audio, or with a second placeholder that nothing fills."""
    with pytest.raises(UserError, match="exactly one placeholder for the audio"):
        render_prompt(tiny.engine.processor, Prompt(text=text), "German")


def test_end_tokens_of_base_and_chat(tiny: TinySystem) -> None:
    """Forbids another end token than that of the chat template: 258 is `<|im_end|>`."""
    assert end_token(tiny.engine, CHAT) == 258
    assert end_token(tiny.engine, BASE) == tiny.engine.processor.tokenizer.eos_token_id
    assert tiny.engine.end_tokens == (258,)


def test_a_prompt_without_positions_for_the_features_is_a_bug(tiny: TinySystem) -> None:
    """Forbids a batch with fewer audio tokens than the audio encoder returns positions."""
    example = tiny.examples(count=1)[0]
    with pytest.raises(RuntimeError, match="not those of the features"):
        left_padded(tiny.engine, [replace(example, prompt=example.prompt[2:])])
