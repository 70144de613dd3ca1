"""The coverage report, worked out by hand."""

import pytest

from harness.segmentation.coverage import Coverage, Lengths, coverage
from harness.testsets.segments import Segment, Segmentation


def report(segments: list[tuple[float, float]], sentences: list[tuple[float, float]]) -> Coverage:
    """Compare segments [start, stop) with sentences of the recording `a.wav`."""
    made = Segmentation("set", "hand", tuple(Segment("a.wav", start, stop - start) for start, stop in segments))
    return coverage(made, [Segment("a.wav", start, stop - start) for start, stop in sentences], "gold")


SENTENCES = [(1.0, 3.0), (4.0, 6.0), (7.0, 8.0), (9.0, 10.0)]


@pytest.mark.parametrize(
    ("segments", "dropped", "outside", "split", "merged", "lost"),
    [
        (SENTENCES, 0.0, 0.0, 0, 0, 0),
        ([(0.0, 10.0)], 0.0, 4.0, 0, 4, 0),  # one segment: all run together, the pauses are outside of speech
        ([(1.0, 2.0), (2.0, 3.0), (4.0, 6.0)], 2.0, 0.0, 1, 0, 2),  # the first in two parts, the last two dropped
        ([(1.0, 4.05), (4.05, 8.0)], 1.0, 1.95 + 0.05 - 0.0, 0, 2, 1),  # 0.05 s of the second do not count as a part
        ([], 6.0, 0.0, 0, 0, 4),
        ([(1.0, 5.0), (2.0, 3.0)], 3.0, 1.0, 1, 2, 2),  # overlapping segments: their common second counts once
    ],
)
def test_by_hand(
    segments: list[tuple[float, float]], dropped: float, outside: float, split: int, merged: int, lost: int
) -> None:
    """Forbids any other figure than the one counted by hand."""
    found = report(segments, SENTENCES)
    assert (found.speech_seconds, found.sentences) == (6.0, 4)
    assert (found.dropped_seconds, found.outside_seconds) == pytest.approx((dropped, outside))
    assert (found.split, found.merged, found.lost) == (split, merged, lost)


def test_lengths_and_text() -> None:
    """Forbids a line that leaves a figure out."""
    found = report([(0.0, 1.0), (1.0, 3.0), (3.0, 9.0)], [(0.5, 8.5)])
    assert found.lengths == Lengths(1.0, 2.0, 3.0, 6.0)
    assert str(found) == (
        "set, hand, against gold: 0.00 % of speech dropped (0.0 of 8.0 s), 1.0 s outside of speech; of 1 sentences 1 "
        "split, 0 merged, 0 lost; 3 segments of 1.00 to 6.00 s, median 2.00 s."
    )


def test_without_speech_there_is_no_share() -> None:
    """Forbids a share of dropped speech where there is no speech."""
    found = report([(0.0, 1.0)], [])
    assert found.dropped_share is None
    assert "no speech" in str(found)


def test_recordings_are_kept_apart() -> None:
    """Forbids that a segment counts for another recording's sentence."""
    made = Segmentation("set", "hand", (Segment("a.wav", 0.0, 2.0), Segment("b.wav", 5.0, 1.0)))
    found = coverage(made, [Segment("b.wav", 0.0, 2.0)], "gold")
    assert (found.dropped_seconds, found.outside_seconds, found.lost) == (2.0, 3.0, 1)
