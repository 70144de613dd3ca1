"""Test sets and hypotheses made from lines of text, without audio or a model."""

from collections.abc import Sequence
from pathlib import Path

from harness.inference.hypothesis import Hypothesis, HypothesisSet, StopReason
from harness.testsets.segments import Segment, Segmentation
from harness.testsets.testset import TestSet


def make_test_set(
    references: dict[str, tuple[str, ...]], lines: int, name: str = "toy-eval", campaign_name: str = "TOY"
) -> TestSet:
    """Return a test set of one talk with `lines` gold segments of one second each."""
    segments = tuple(Segment("talk.wav", float(start), 1.0) for start in range(lines))
    return TestSet(
        name=name,
        campaign_name=campaign_name,
        dataset=name,
        audio=Path("nowhere"),
        file_order=("talk.wav",),
        gold=Segmentation(name, "gold", segments),
        source=None,
        references=references,
        key="5e7" * 21 + "5",
    )


def make_hypotheses(
    texts: Sequence[str], direction: str = "en-de", test_set: str = "toy-eval", artifact: str = "a" * 64
) -> HypothesisSet:
    """Return hypotheses of `make_test_set`'s gold segments, one per text."""
    made = tuple(
        Hypothesis(i, Segment("talk.wav", float(i), 1.0), text, 5, 0.1, 4, StopReason.EOS)
        for i, text in enumerate(texts)
    )
    return HypothesisSet(
        key="c" * 64,
        artifact=artifact,
        system="toy4",
        test_set=test_set,
        direction=direction,
        signature="seg:gold,prompt:base,greedy,batch:4,max_new_tokens:64",
        hypotheses=made,
    )
