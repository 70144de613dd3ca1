"""A model in memory: it receives the audio, and its feature extractor fits."""

from dataclasses import replace

import pytest
import torch

from harness.core.errors import UserError
from harness.inference.engine import require_audio_input
from harness.inference.prompting import left_padded
from tests.helpers.tiny_engine import TinySystem


def test_the_audio_changes_what_the_model_computes(tiny: TinySystem) -> None:
    """Forbids that features are lost on the way: silence instead of audio gives other logits."""
    example = tiny.examples(count=1)[0]
    silent = replace(example, features=replace(example.features, mel=torch.zeros_like(example.features.mel)))
    with torch.inference_mode():
        logits = [
            tiny.engine.model(**left_padded(tiny.engine, [each]).arguments()).logits[0, -1]
            for each in (example, silent)
        ]
    assert float((logits[0] - logits[1]).abs().max()) > 1e-2


def test_a_model_without_audio_input_is_a_bug(tiny: TinySystem) -> None:
    """Forbids translating from the prompt alone, as happens when input_features are lost."""
    batch = left_padded(tiny.engine, tiny.examples(count=1))
    with pytest.raises(RuntimeError, match="no input_features"), require_audio_input(tiny.engine.model):
        tiny.engine.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask)


def test_a_feature_extractor_of_another_model_is_refused(tiny: TinySystem) -> None:
    """Forbids a feature extractor with another window, which would fail deep in the audio encoder."""
    processor = type(tiny.engine.processor)(
        type(tiny.engine.processor.feature_extractor)(feature_size=16, chunk_length=3), tiny.engine.processor.tokenizer
    )
    with pytest.raises(UserError, match="16 x 300 features, but its audio encoder takes 16 x 200"):
        replace(tiny.engine, processor=processor)
