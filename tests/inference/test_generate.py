"""Generation: the batch plan, the order of the output, and what happens when decoding fails."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from harness.config.task import Decoding
from harness.core.errors import UserError
from harness.core.locks import exclusive
from harness.core.workdir import WorkDir
from harness.inference.decoding import decode
from harness.inference.generate import generate, plan_batches
from harness.testsets.segments import Segment
from tests.helpers.tiny_engine import Counting, TinySystem, no_engine


def test_the_batch_plan_is_a_pure_function() -> None:
    """Forbids a plan that depends on more than durations and batch size: longest first, equal ones in order."""
    segments = [Segment(f"{index}.wav", 0.0, duration) for index, duration in enumerate([1.0, 3.0, 2.0, 3.0, 0.5])]
    assert plan_batches(segments, 2) == ((1, 3), (2, 0), (4,))
    assert plan_batches(segments, 9) == ((1, 3, 2, 0, 4),)


def test_translations_come_in_the_order_of_the_segments(tiny: TinySystem, workdir: WorkDir) -> None:
    """Forbids that sorting by length changes the output's order: line N is the output of segment N alone."""
    request = tiny.request()
    made = generate(request, workdir, lambda: tiny.engine)
    segments = request.segmentation.segments
    assert sorted(segments, key=lambda segment: -segment.duration) != list(segments)
    assert [(row.index, row.segment) for row in made.hypotheses] == list(enumerate(segments))
    alone = [decode(tiny.engine, [example], 12)[0] for example in tiny.examples(count=len(segments))]
    assert [(row.text, row.tokens) for row in made.hypotheses] == [(each.text, each.tokens) for each in alone]
    assert {(row.batch_size, row.halved) for row in made.hypotheses} == {(2, False)}


class SmallMemory:
    """A model that runs out of memory when more than `capacity` segments are decoded together."""

    def __init__(self, model: Any, capacity: int) -> None:
        self._model = model
        self._capacity = capacity

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, **inputs: Any) -> Any:
        if len(inputs["input_ids"]) > self._capacity:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self._model.generate(**inputs)


def test_out_of_memory_halves_the_batch_and_is_recorded(
    tiny: TinySystem, workdir: WorkDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forbids that an out-of-memory loses segments, or is not recorded in the hypotheses."""
    small = replace(tiny.engine, model=SmallMemory(tiny.engine.model, 2))
    request = tiny.request(decoding=Decoding(batch_size=5, max_new_tokens=12))
    made = generate(request, workdir, lambda: small)
    undisturbed = generate(tiny.request(), workdir, lambda: tiny.engine)
    assert [row.text for row in made.hypotheses] == [row.text for row in undisturbed.hypotheses]
    sizes = [
        made.hypotheses[index].batch_size for batch in plan_batches(request.segmentation.segments, 5) for index in batch
    ]
    assert sizes == [2, 2, 1, 2, 2] * 2 + [2, 2]
    assert [row.halved for row in made.hypotheses].count(False) == 2
    assert "Out of memory with a batch of 5: continuing with 3." in capsys.readouterr().err


def test_out_of_memory_with_a_single_segment_is_an_error(tiny: TinySystem, workdir: WorkDir) -> None:
    """Forbids endless halving: the error names the segment and what to do."""
    small = replace(tiny.engine, model=SmallMemory(tiny.engine.model, 0))
    with pytest.raises(UserError, match=r"tiny-talks.* Out of memory with a single segment: use a device"):
        generate(tiny.request(), workdir, lambda: small)


class Broken(SmallMemory):
    """A model that fails in the third batch."""

    calls = 0

    def generate(self, **inputs: Any) -> Any:
        self.calls += 1
        if self.calls == 3:
            raise ValueError("a bug")
        return self._model.generate(**inputs)


def test_any_other_error_names_the_segments_and_keeps_finished_batches(tiny: TinySystem, workdir: WorkDir) -> None:
    """Forbids an empty text instead of a translation, and the loss of batches that were finished before an error."""
    broken = replace(tiny.engine, model=Broken(tiny.engine.model, 2))
    with pytest.raises(ValueError, match="a bug") as caught:
        generate(tiny.request(), workdir, lambda: broken)
    segments = tiny.request().segmentation.segments
    third = [segments[index] for index in plan_batches(segments, 2)[2]]
    assert all(f"{segment.wav} at {segment.offset:.2f} s" in caught.value.__notes__[0] for segment in third)
    assert len(list(workdir.hypotheses.glob("*.partial/batches/*.jsonl"))) == 2
    assert len(generate(tiny.request(), workdir, lambda: tiny.engine).hypotheses) == 12


def test_the_model_is_loaded_once(tiny: TinySystem, workdir: WorkDir) -> None:
    """Forbids loading the model once per batch."""
    loader = Counting(tiny.engine)
    generate(tiny.request(), workdir, loader)
    assert loader.calls == 1


def test_only_one_process_translates_a_request(tiny: TinySystem, workdir: WorkDir) -> None:
    """Forbids that two processes write the same batches, and that reading stored hypotheses waits for a lock."""
    request = tiny.request()
    with (
        exclusive(workdir.hypotheses / request.key, "is at work", workdir.locks),
        pytest.raises(UserError, match="Another process is translating tiny-eval en-de with raw"),
    ):
        generate(request, workdir, no_engine)
    made = generate(request, workdir, lambda: tiny.engine)
    with exclusive(workdir.hypotheses / request.key, "is at work", workdir.locks):
        assert generate(request, workdir, no_engine) == made
