"""pDAC: examples worked out by hand at ten frames per second, where frame n begins at n/10 s."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.segmentation.frames import Frames, Limits, Span
from harness.segmentation.pdac import pdac, pdac_not_strict, pdac_whole

LIMITS = Limits(max_seconds=1.0, min_seconds=0.2, threshold=0.5)
"""At most 9 frames; halves of at least 3."""
TIGHT = Limits(max_seconds=0.5, min_seconds=0.2, threshold=0.5)
"""At most 4 frames; halves of at least 3: 5 and 6 frames cannot be split."""


def frames(*values: float) -> Frames:
    return Frames(np.array(values, dtype=np.float64), 10.0)


def level(count: int, **dips: float) -> Frames:
    """Return frames of probability 0.9 but for some, `f5=0.3` being frame 5."""
    values = [0.9] * count
    for name, value in dips.items():
        values[int(name[1:])] = value
    return frames(*values)


@pytest.mark.parametrize(
    ("given_frames", "expected"),
    [
        (frames(0.1, 0.9, 0.2, 0.5, 0.4), [(1, 4)]),  # trimmed to the threshold, which counts as speech
        (level(9), [(0, 9)]),  # 0.9 s is below 1.0 s
        (level(12, f5=0.3), [(0, 5), (6, 12)]),  # split at the dip, which belongs to neither half
        (level(12, f1=0.1, f6=0.4), [(0, 6), (7, 12)]),  # the deepest dip leaves 0.1 s on its left: the next one
        (level(13, f5=0.2, f6=0.1, f7=0.3), [(0, 5), (8, 13)]),  # halves are trimmed
        (level(12), [(0, 3), (4, 12)]),  # among equals the first that leaves 0.3 s
        (level(24, f11=0.1, f5=0.3), [(0, 5), (6, 11), (12, 15), (16, 24)]),  # left before right
    ],
)
def test_strict_splits_at_the_least_likely_frame(given_frames: Frames, expected: list[tuple[int, int]]) -> None:
    """Forbids any outcome but the one worked out by hand."""
    assert list(pdac(given_frames, LIMITS)) == expected


def test_a_recording_without_speech_is_one_empty_span() -> None:
    """Forbids to differ from the published outcome, one segment of 0.0 s; the repaired rule has none."""
    silence = frames(0.1, 0.4, 0.2)
    assert pdac(silence, LIMITS) == pdac_not_strict(silence, LIMITS) == (Span(0, 0),)
    assert pdac_whole(silence, LIMITS) == pdac_whole(frames(), LIMITS) == ()


def test_strict_drops_what_cannot_be_split() -> None:
    """Forbids to differ from the published fault: the search ends at the likeliest frame, and short halves are lost."""
    speech = frames(0.9, 0.99, 0.7, 0.6, 0.8, 0.9)
    assert pdac(speech, TIGHT) == (Span(2, 6),)
    assert pdac_not_strict(speech, TIGHT) == (Span(0, 6),)
    assert pdac_whole(speech, TIGHT) == (Span(0, 3), Span(3, 6))


def test_strict_with_min_over_max_loses_everything() -> None:
    """Forbids to differ from the published fault; the repaired rule keeps every frame, in short pieces."""
    limits = Limits(max_seconds=0.5, min_seconds=3.0, threshold=0.5)
    assert pdac(level(12), limits) == ()
    whole = pdac_whole(level(12), limits)
    assert [frame for span in whole for frame in range(*span)] == list(range(12))
    assert max(span.stop - span.start for span in whole) <= 4


@pytest.mark.parametrize(
    ("given_frames", "expected"),
    [
        (level(12), [(0, 12)]),  # no frame up to the threshold
        (level(12, f1=0.3), [(0, 12)]),  # the only one leaves 0.1 s on its left
        (level(12, f5=0.5), [(0, 5), (6, 12)]),  # the threshold itself may be split at
    ],
)
def test_not_strict_splits_at_silence_only(given_frames: Frames, expected: list[tuple[int, int]]) -> None:
    """Forbids a split inside of speech, whatever the length."""
    assert list(pdac_not_strict(given_frames, LIMITS)) == expected


def test_equal_probabilities_over_hours_take_no_recursion() -> None:
    """No recording is too long: a pause every two seconds for an hour nests deeper than Python may recurse."""
    values = np.tile([0.9] * 19 + [0.1], 1800)
    spans = pdac(Frames(values, 10.0), Limits(2.0, 0.2, 0.5))
    assert len(spans) == 1800
    assert {span.stop - span.start for span in spans} == {19}


probabilities = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.7, 0.9, 1.0]), max_size=80)


@given(probabilities, st.sampled_from([0.3, 0.5, 1.0, 2.0]), st.sampled_from([0.0, 0.2, 1.0]))
def test_the_whole_rule_keeps_all_speech(values: list[float], most: float, least: float) -> None:
    """No frame of speech is dropped or doubled, no span is empty, too long, or out of order."""
    spans = pdac_whole(frames(*values), Limits(most, least, 0.5))
    held = [frame for span in spans for frame in range(*span)]
    assert held == sorted(set(held))
    assert {place for place, value in enumerate(values) if value >= 0.5} <= set(held)
    assert all(0 < (span.stop - span.start) / 10 < most for span in spans)


@given(probabilities)
def test_the_strict_rule_keeps_its_limits(values: list[float]) -> None:
    """No span of the strict rule reaches the limit, and none overlaps the next."""
    spans = pdac(frames(*values), LIMITS)
    assert all((span.stop - span.start) / 10 < 1.0 for span in spans)
    assert all(before.stop < after.start for before, after in pairwise(spans))
