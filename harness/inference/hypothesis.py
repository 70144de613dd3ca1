"""Hypotheses: translations of segments, with how each was decoded."""

from enum import StrEnum

import msgspec

from harness.core.findings import Finding
from harness.testsets.segments import Segment


class StopReason(StrEnum):
    """Why decoding stopped: at an end token, or at the largest number of tokens."""

    EOS = "eos"
    LENGTH = "length"


class Hypothesis(msgspec.Struct, frozen=True):
    """The translation of one segment.

    Attributes:
        index: position in the segmentation, from 0.
        text: the translation on one line; empty when the model generated no text.
        tokens: number of generated tokens, the end token included.
        seconds: wall-clock seconds of the model on the batch, divided by its segments; reading audio is excluded.
        batch_size: segments that were decoded together.
        halved: whether the planned batch did not fit in memory and was halved at least once.
        attempts: 2 where a repetitive output was decoded again; the other fields are those of the one with fewer flags.
    """

    index: int
    segment: Segment
    text: str
    tokens: int
    seconds: float
    batch_size: int
    stop: StopReason
    halved: bool = False
    attempts: int = 1


class HypothesisSet(msgspec.Struct, frozen=True):
    """The translations of one segmentation by one artifact, complete and in order.

    Attributes:
        key: content key of the request: artifact id, segmentation, audio, prompt, decoding, versions.
        artifact: its id.
        system: name, for display.
        test_set: name of the test set.
        direction: e.g. `en-de`.
        signature: requested settings in one line, for the signature of scores.
        findings: what was done to the recordings before feature extraction, e.g. channels averaged.
    """

    key: str
    artifact: str
    system: str
    test_set: str
    direction: str
    signature: str
    hypotheses: tuple[Hypothesis, ...]
    findings: tuple[Finding, ...] = ()
