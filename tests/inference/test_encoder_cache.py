"""The cache of encoder outputs, compared with running the audio encoder again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from harness.evaluation.cross_entropy import sentence_nats
from harness.inference.decoding import DecodingConstraints, decode
from harness.inference.encoder_cache import EncoderCache, audio_tower
from harness.inference.engine import Engine
from harness.inference.examples import ExampleReader
from harness.inference.prompting import Example, end_token, target_tokens
from tests.helpers.tiny_engine import BASE, load_engine, request_for, tiny_artifact, tiny_test_set


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return load_engine(tiny_artifact(tmp_path))


@pytest.fixture
def sentences(tmp_path: Path, engine: Engine) -> list[Example]:
    test_set = tiny_test_set(tmp_path, per_talk=2)
    reader = ExampleReader(request_for(tiny_artifact(tmp_path), test_set), engine)
    end = end_token(engine, BASE)
    examples = [reader.read(index) for index in range(4)]
    texts = test_set.references["de"]
    return [
        Example(each.features, each.prompt, target_tokens(engine.processor, text, end))
        for each, text in zip(examples, texts, strict=False)
    ]


@contextmanager
def counted(engine: Engine) -> Iterator[list[int]]:
    """Count the runs of the encoder's first convolution."""
    runs: list[int] = []
    hook = audio_tower(engine.model).conv1.register_forward_hook(lambda *_: runs.append(1))
    yield runs
    hook.remove()


def test_a_batch_that_was_translated_is_not_encoded_again(engine: Engine, sentences: list[Example]) -> None:
    """Forbids other numbers than without the cache, and a second run of the encoder."""
    wanted = sentence_nats(replace(engine, encoder_cache=EncoderCache(capacity=0)), sentences)
    decode(engine, sentences, 4, DecodingConstraints(use_encoder_cache=True))
    with counted(engine) as runs:
        found = sentence_nats(engine, sentences)
    assert found == wanted
    assert not runs


def test_another_batch_is_encoded(engine: Engine, sentences: list[Example]) -> None:
    """Forbids that one batch gets the output of another, even of the same segments in another order."""
    fresh = replace(engine, encoder_cache=EncoderCache(capacity=0))
    wanted = sentence_nats(fresh, sentences[:2]), sentence_nats(fresh, sentences[::-1])
    decode(engine, sentences, 4, DecodingConstraints(use_encoder_cache=True))
    assert sentence_nats(engine, sentences[:2]) == wanted[0]
    with counted(engine) as runs:
        assert sentence_nats(engine, sentences[::-1]) == wanted[1]
    assert len(runs) == 1


def test_plain_decoding_always_encodes(engine: Engine, sentences: list[Example]) -> None:
    """Forbids that the speed measurement times decoding without encoding."""
    decode(engine, sentences, 4, DecodingConstraints(use_encoder_cache=True))
    with counted(engine) as runs:
        decode(engine, sentences, 4)
    assert len(runs) == 1


def test_the_time_of_a_cached_output_counts(
    engine: Engine, sentences: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that the second direction seems faster than the first because its encoder did not run."""
    clock = SimpleNamespace(perf_counter=count(step=100).__next__)
    monkeypatch.setattr("harness.inference.encoder_cache.time", clock)
    computed = decode(engine, sentences, 4, DecodingConstraints(use_encoder_cache=True))
    with counted(engine) as runs:
        cached = decode(engine, sentences, 4, DecodingConstraints(use_encoder_cache=True))
    assert [each.text for each in cached] == [each.text for each in computed]
    assert not runs
    assert sum(each.seconds for each in cached) > 100


def test_the_cache_stays_within_its_capacity(engine: Engine, sentences: list[Example]) -> None:
    """Forbids memory that grows with the test set."""
    small = replace(engine, encoder_cache=EncoderCache(capacity=1))
    decode(small, sentences, 4, DecodingConstraints(use_encoder_cache=True))
    with counted(small) as runs:
        sentence_nats(small, sentences)
    assert len(runs) == 1


def test_clearing_releases_the_memory(engine: Engine, sentences: list[Example]) -> None:
    """Forbids that cached outputs keep memory that a batch needs, or that nothing is cached after clearing."""
    for _ in range(2):
        decode(engine, sentences, 4, DecodingConstraints(use_encoder_cache=True))
        engine.encoder_cache.clear()
        with counted(engine) as runs:
            sentence_nats(engine, sentences)
            sentence_nats(engine, sentences)
        assert len(runs) == 1


def test_the_encoder_is_restored(engine: Engine, sentences: list[Example]) -> None:
    """Forbids that a model keeps returning cached outputs after an error inside the block."""
    decode(engine, sentences, 4, DecodingConstraints(use_encoder_cache=True))
    features = torch.stack([each.features.mel for each in sentences])
    mask = (torch.arange(features.shape[-1])[None] < torch.tensor([[e.features.frames] for e in sentences])).long()
    block = engine.encoder_cache.reuse(engine.model, features, mask)
    block.__enter__()
    assert "forward" in vars(audio_tower(engine.model))
    assert not block.__exit__(ValueError, ValueError("out"), None)
    assert "forward" not in vars(audio_tower(engine.model))
