"""Coverage: how much speech a segmentation drops, and how many sentences it splits, merges or loses."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from statistics import fmean, median
from typing import NamedTuple

import msgspec

from harness.testsets.segments import Segment, Segmentation

OVERLAP = 0.1
"""Seconds that a segment and a sentence must share to count as overlapping: borders are not exact, and gold sentences
overlap their neighbours."""


class Stretch(NamedTuple):
    """Seconds [start, stop) of a recording."""

    start: float
    stop: float


class Lengths(msgspec.Struct, frozen=True):
    """Lengths of segments in seconds; all 0 where there are none."""

    shortest: float
    median: float
    mean: float
    longest: float


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How a segmentation covers the speech of a test set.

    Attributes:
        method: how the test set was segmented.
        against: what counts as speech: `gold` sentences, or `silero` for the intervals of silero-vad.
        speech_seconds: all speech.
        dropped_seconds: speech in no segment.
        outside_seconds: audio in segments that is not speech.
        sentences: number of sentences, or of intervals of speech; `segments` is the number of segments.
        split: sentences that overlap several segments; `merged` ones share a segment, `lost` ones overlap none.
        lengths: of the segments.
    """

    test_set: str
    method: str
    against: str
    speech_seconds: float
    dropped_seconds: float
    outside_seconds: float
    sentences: int
    split: int
    merged: int
    lost: int
    segments: int
    lengths: Lengths

    @property
    def dropped_share(self) -> float | None:
        """Share of the speech that is dropped; None where there is no speech."""
        return self.dropped_seconds / self.speech_seconds if self.speech_seconds else None

    def __str__(self) -> str:
        share = "no speech" if self.dropped_share is None else f"{100 * self.dropped_share:.2f} % of speech dropped"
        unit = "sentences" if self.against == "gold" else "stretches of speech"
        return (
            f"{self.test_set}, {self.method}, against {self.against}: {share} ({self.dropped_seconds:.1f} of "
            f"{self.speech_seconds:.1f} s), {self.outside_seconds:.1f} s outside of speech; of {self.sentences} {unit} "
            f"{self.split} split, {self.merged} merged, {self.lost} lost; {self.segments} segments of "
            f"{self.lengths.shortest:.2f} to {self.lengths.longest:.2f} s, median {self.lengths.median:.2f} s."
        )


def coverage(segmentation: Segmentation, sentences: Sequence[Segment], against: str) -> Coverage:
    """Compare a segmentation with the sentences, or intervals of speech, of the same recordings."""
    held, spoken = _by_recording(segmentation.segments), _by_recording(sentences)
    common = sum(_shared(_union(spoken[wav]), _union(held.get(wav, []))) for wav in spoken)
    speech, lengths = sum(map(_total, spoken.values())), [segment.duration for segment in segmentation.segments]
    found = sum((_faults(spoken[wav], held.get(wav, [])) for wav in spoken), Counter[str]())
    return Coverage(
        test_set=segmentation.test_set,
        method=segmentation.method,
        against=against,
        speech_seconds=round(speech, 3),
        dropped_seconds=round(max(0.0, speech - common), 3),
        outside_seconds=round(max(0.0, sum(map(_total, held.values())) - common), 3),
        sentences=len(sentences),
        split=found["split"],
        merged=found["merged"],
        lost=found["lost"],
        segments=len(segmentation.segments),
        lengths=Lengths(*(round(of(lengths), 4) if lengths else 0.0 for of in (min, median, fmean, max))),
    )


def _by_recording(segments: Iterable[Segment]) -> dict[str, list[Stretch]]:
    found: dict[str, list[Stretch]] = {}
    for segment in segments:
        found.setdefault(segment.wav, []).append(Stretch(segment.offset, segment.offset + segment.duration))
    return {wav: sorted(stretches) for wav, stretches in found.items()}


def _union(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return sorted stretches with overlapping ones joined."""
    joined: list[Stretch] = []
    for stretch in stretches:
        if joined and stretch.start <= joined[-1].stop:
            joined[-1] = Stretch(joined[-1].start, max(joined[-1].stop, stretch.stop))
        else:
            joined.append(stretch)
    return joined


def _total(stretches: Iterable[Stretch]) -> float:
    return sum(stretch.stop - stretch.start for stretch in _union(stretches))


def _shared(left: Sequence[Stretch], right: Sequence[Stretch]) -> float:
    """Return the seconds that two sorted sequences of disjoint stretches have in common."""
    shared, i, j = 0.0, 0, 0
    while i < len(left) and j < len(right):
        shared += max(0.0, min(left[i].stop, right[j].stop) - max(left[i].start, right[j].start))
        if left[i].stop <= right[j].stop:
            i += 1
        else:
            j += 1
    return shared


def _faults(sentences: Sequence[Stretch], segments: Sequence[Stretch]) -> Counter[str]:
    """Count the sentences of a recording that are split, merged or lost by its segments; both sorted by start."""
    overlaps = [_overlapping(sentence, segments) for sentence in sentences]
    counts = Counter(chain.from_iterable(overlaps))
    merged = sum(any(counts[place] > 1 for place in one) for one in overlaps)
    return Counter(split=sum(len(one) > 1 for one in overlaps), merged=merged, lost=sum(not one for one in overlaps))


def _overlapping(sentence: Stretch, segments: Sequence[Stretch]) -> list[int]:
    """Return the positions of segments that share `OVERLAP` seconds with a sentence, or half of a shorter one."""
    found = []
    for place, segment in enumerate(segments):
        if segment.start >= sentence.stop:
            break
        shared = min(sentence.stop, segment.stop) - max(sentence.start, segment.start)
        if shared >= min(OVERLAP, (sentence.stop - sentence.start) / 2):
            found.append(place)
    return found
