"""harness.inference.preallocated_kv_cache: against the cache that transformers makes for itself."""

from pathlib import Path

import pytest
import torch
from transformers import GenerationConfig

from harness.inference.examples import Reader
from harness.inference.preallocated_kv_cache import preallocated_kv_cache
from harness.inference.prompting import left_padded
from tests.helpers.tiny_engine import load_engine, request_for, tiny_artifact, tiny_test_set

NEW = 9


def test_answers_and_scores_are_those_of_transformers(tmp_path: Path) -> None:
    """Forbids keys or values that are lost, moved or mixed up: sentences of unlike length, compared step by step."""
    artifact = tiny_artifact(tmp_path)
    engine = load_engine(artifact)
    reader = Reader(request_for(artifact, tiny_test_set(tmp_path)), engine)
    batch = left_padded(engine, [reader.read(index) for index in range(5)])
    assert not batch.attention_mask.all()
    settings = GenerationConfig(max_new_tokens=NEW, output_scores=True, return_dict_in_generate=True, do_sample=False)
    room = batch.input_ids.shape[1] + NEW
    with torch.inference_mode():
        answers = [
            engine.model.generate(**batch.arguments(), generation_config=settings, use_model_defaults=False, **chosen)
            for chosen in ({}, {"past_key_values": preallocated_kv_cache(engine.model.config.text_config, room)})
        ]
    assert torch.equal(answers[0].sequences, answers[1].sequences)
    assert len(answers[0].scores) == NEW
    for wanted, found in zip(answers[0].scores, answers[1].scores, strict=True):
        assert torch.equal(wanted, found)


def test_there_is_no_more_room_than_asked_for() -> None:
    """Forbids a token that is dropped silently."""
    layer = preallocated_kv_cache(type("Config", (), {"num_hidden_layers": 1}), room=3).layers[0]
    layer.update(torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 3, 2))
    with pytest.raises(RuntimeError, match="asked to hold 4"):
        layer.update(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 2))
