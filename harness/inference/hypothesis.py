"""Hypotheses: one segment's translation with how it was made."""

from enum import StrEnum

import msgspec

from harness.core.findings import Finding
from harness.testsets.segments import Segment


class Stop(StrEnum):
    """Why the decoder stopped."""

    EOS = "eos"
    LENGTH = "length"


class Hypothesis(msgspec.Struct, frozen=True):
    """One segment's translation.

    Attributes:
        index: position in the segmentation, from 0.
        segment: what was translated.
        text: the translation, newlines collapsed to spaces; may be empty when the model said nothing.
        tokens: generated tokens, the final end token included.
        seconds: wall-clock seconds that the model took for the batch, divided by its segments; reading audio excluded.
        batch_size: segments that were decoded together.
        stop: why the decoder stopped.
        halved: whether the planned batch did not fit in memory and was halved, once or more.
        attempts: 2 when the first translation repeated itself and was asked for once more; the one with fewer flags
            stands here.
    """

    index: int
    segment: Segment
    text: str
    tokens: int
    seconds: float
    batch_size: int
    stop: Stop
    halved: bool = False
    attempts: int = 1


class HypothesisSet(msgspec.Struct, frozen=True):
    """The translations of one segmentation by one artifact, complete and in order.

    Attributes:
        key: content key of the request: artifact id, segmentation, audio, prompt, decoding, versions.
        artifact: id of the artifact.
        system: name of the system, for people.
        test_set: name of the test set.
        direction: e.g. `en-de`.
        signature: requested settings in one line, for the signature of scores.
        hypotheses: one per segment, in order.
        findings: what was done to the recordings before the model heard them, e.g. channels averaged.
    """

    key: str
    artifact: str
    system: str
    test_set: str
    direction: str
    signature: str
    hypotheses: tuple[Hypothesis, ...]
    findings: tuple[Finding, ...] = ()
