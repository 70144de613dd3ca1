"""The preallocated key-value cache, compared with transformers' default cache."""

import pytest
import torch
from transformers import GenerationConfig

from harness.inference.preallocated_kv_cache import preallocated_kv_cache
from harness.inference.prompting import left_padded
from tests.helpers.tiny_engine import TinySystem

NEW = 9


def test_outputs_and_scores_are_those_of_transformers(tiny: TinySystem) -> None:
    """Forbids lost or misplaced keys and values: sentences of different lengths, compared step by step."""
    batch = left_padded(tiny.engine, tiny.examples(count=5))
    model = tiny.engine.model
    assert not batch.attention_mask.all()
    settings = GenerationConfig(max_new_tokens=NEW, output_scores=True, return_dict_in_generate=True, do_sample=False)
    capacity = batch.input_ids.shape[1] + NEW
    with torch.inference_mode():
        outputs = [
            model.generate(**batch.arguments(), generation_config=settings, use_model_defaults=False, **chosen)
            for chosen in (
                {},
                {"past_key_values": preallocated_kv_cache(model.config.text_config, capacity)},
            )
        ]
    assert torch.equal(outputs[0].sequences, outputs[1].sequences)
    assert len(outputs[0].scores) == NEW
    for expected, found in zip(outputs[0].scores, outputs[1].scores, strict=True):
        assert torch.equal(expected, found)


def test_a_full_cache_is_an_error() -> None:
    """Forbids a token that is dropped silently."""
    layer = preallocated_kv_cache(type("Config", (), {"num_hidden_layers": 1}), capacity=3).layers[0]
    layer.update(torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 3, 2))
    with pytest.raises(RuntimeError, match="a cache of 3 tokens cannot hold 4"):
        layer.update(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2))
