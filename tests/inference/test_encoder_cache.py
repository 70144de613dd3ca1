"""harness.inference.encoder_cache: what the audio tower made of a batch, against hearing it again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.evaluation.cross_entropy import sentence_nats
from harness.inference.decoding import DecodingConstraints, decode
from harness.inference.encoder_cache import EncoderCache, audio_tower
from harness.inference.engine import Engine
from harness.inference.examples import Reader
from harness.inference.prompting import Example, end_token, target_tokens
from tests.helpers.tiny_engine import BASE, load_engine, request_for, tiny_artifact, tiny_test_set


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return load_engine(tiny_artifact(tmp_path))


@pytest.fixture
def sentences(tmp_path: Path, engine: Engine) -> list[Example]:
    test_set = tiny_test_set(tmp_path, per_talk=2)
    reader = Reader(request_for(tiny_artifact(tmp_path), test_set), engine)
    end = end_token(engine, BASE)
    heard = [reader.read(index) for index in range(4)]
    texts = test_set.references["de"]
    return [
        Example(each.features, each.prompt, target_tokens(engine.processor, text, end))
        for each, text in zip(heard, texts, strict=False)
    ]


@contextmanager
def counted(engine: Engine) -> Iterator[list[int]]:
    """Count how often the tower's first convolution runs."""
    runs: list[int] = []
    watch = audio_tower(engine.model).conv1.register_forward_hook(lambda *_: runs.append(1))
    yield runs
    watch.remove()


def test_a_batch_that_was_translated_is_not_heard_again(engine: Engine, sentences: list[Example]) -> None:
    """Forbids other numbers than by hearing again, and a second run of the tower."""
    wanted = sentence_nats(replace(engine, encoder_cache=EncoderCache(capacity=0)), sentences)
    decode(engine, sentences, 4, DecodingConstraints(recall=True))
    with counted(engine) as runs:
        found = sentence_nats(engine, sentences)
    assert found == wanted
    assert not runs


def test_another_batch_is_heard(engine: Engine, sentences: list[Example]) -> None:
    """Forbids that the sound of one batch is taken for that of another, be it the same segments in another order."""
    fresh = replace(engine, encoder_cache=EncoderCache(capacity=0))
    wanted = sentence_nats(fresh, sentences[:2]), sentence_nats(fresh, sentences[::-1])
    decode(engine, sentences, 4, DecodingConstraints(recall=True))
    assert sentence_nats(engine, sentences[:2]) == wanted[0]
    with counted(engine) as runs:
        assert sentence_nats(engine, sentences[::-1]) == wanted[1]
    assert len(runs) == 1


def test_plain_decoding_always_hears(engine: Engine, sentences: list[Example]) -> None:
    """Forbids that one segment after the other is timed without hearing."""
    decode(engine, sentences, 4, DecodingConstraints(recall=True))
    with counted(engine) as runs:
        decode(engine, sentences, 4)
    assert len(runs) == 1


def test_recalled_hearing_counts_with_its_time(engine: Engine, sentences: list[Example]) -> None:
    """Forbids that the second direction looks faster than the first because it did not hear."""
    slow = audio_tower(engine.model).conv1.register_forward_hook(lambda *_: time.sleep(0.5))
    wanted = decode(engine, sentences, 4, DecodingConstraints(recall=True))
    slow.remove()
    with counted(engine) as runs:
        found = decode(engine, sentences, 4, DecodingConstraints(recall=True))
    assert [each.text for each in found] == [each.text for each in wanted]
    assert not runs
    assert sum(each.seconds for each in found) > 0.5


def test_no_more_is_remembered_than_allowed(engine: Engine, sentences: list[Example]) -> None:
    """Forbids memory that grows with the test set."""
    small = replace(engine, encoder_cache=EncoderCache(capacity=1))
    decode(small, sentences, 4, DecodingConstraints(recall=True))
    with counted(small) as runs:
        sentence_nats(small, sentences)
    assert len(runs) == 1


def test_memory_comes_back(engine: Engine, sentences: list[Example]) -> None:
    """Forbids that what is remembered takes the memory that a batch is short of, or that nothing is kept after that."""
    for _ in range(2):
        decode(engine, sentences, 4, DecodingConstraints(recall=True))
        engine.encoder_cache.forget()
        with counted(engine) as runs:
            sentence_nats(engine, sentences)
            sentence_nats(engine, sentences)
        assert len(runs) == 1


def test_the_tower_is_its_own_again(engine: Engine, sentences: list[Example]) -> None:
    """Forbids that a model keeps answering from memory after a mistake inside the block."""
    decode(engine, sentences, 4, DecodingConstraints(recall=True))
    features = torch.stack([each.features.mel for each in sentences])
    mask = (torch.arange(features.shape[-1])[None] < torch.tensor([[e.features.frames] for e in sentences])).long()
    hearing = engine.encoder_cache.reuse(engine.model, features, mask)
    hearing.__enter__()
    assert "forward" in vars(audio_tower(engine.model))
    assert not hearing.__exit__(ValueError, ValueError("out"), None)
    assert "forward" not in vars(audio_tower(engine.model))
