"""pSTRM: examples worked out by hand at ten frames per second, where frame n begins at n/10 s."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.segmentation.frames import Frames, Limits, Span
from harness.segmentation.pstrm import pstrm, pstrm_aligned, pstrm_cuts

LIMITS = Limits(max_seconds=0.5, min_seconds=0.2, threshold=0.5)
"""Stretches of 5 frames, cut from their third frame on."""


def frames(*values: float) -> Frames:
    return Frames(np.array(values, dtype=np.float64), 10.0)


def test_speech_without_a_pause_is_cut_at_the_limit() -> None:
    """Forbids to differ from the published outcome, in which the frame at the limit is lost."""
    assert pstrm_cuts(frames(*[0.9] * 12), LIMITS) == ((Span(0, 5), Span(6, 11)), 0)
    assert pstrm_aligned(frames(*[0.9] * 12), LIMITS) == (Span(0, 5), Span(5, 10), Span(10, 12))


def test_a_cut_moves_what_follows() -> None:
    """Forbids to differ from the published fault: frame 5 is lost where the rest of the stretch is put back, so that
    frames 6 to 9 are written down as 5 to 8, and the last one is noise."""
    values = [0.9, 0.9, 0.9, 0.1, *[0.9] * 8]
    assert pstrm_cuts(frames(*values), LIMITS) == ((Span(0, 3), Span(4, 9), Span(10, 11)), 1)
    assert pstrm(frames(*values), LIMITS) == (Span(0, 3), Span(4, 9))
    assert pstrm_aligned(frames(*values), LIMITS) == (Span(0, 3), Span(4, 9), Span(9, 12))


def test_a_pause_before_the_shortest_length_is_passed_over() -> None:
    """Forbids a cut at frame 1, where the first segment would last 0.1 s."""
    assert pstrm_cuts(frames(0.9, 0.0, 0.9, 0.9, 0.2, 0.9), LIMITS)[0][0] == Span(0, 4)


def test_the_threshold_itself_is_no_speech() -> None:
    """Forbids to trim as pDAC does, for which the threshold counts as speech."""
    assert pstrm(frames(0.5, 0.6, 0.6, 0.6, 0.5), LIMITS) == (Span(1, 4),)


def test_silence_has_no_segment() -> None:
    """Forbids a segment of 0.0 s."""
    assert pstrm(frames(0.1, 0.5, 0.2), LIMITS) == pstrm(frames(), LIMITS) == ()
    assert pstrm_aligned(frames(0.1, 0.5, 0.2), LIMITS) == ()


@given(st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.7, 0.9, 1.0]), max_size=80), st.sampled_from([0.3, 0.5, 1.0]))
def test_aligned_keeps_all_speech(values: list[float], most: float) -> None:
    """No frame of speech is dropped or doubled, no span is empty, too long, or out of order."""
    spans = pstrm_aligned(frames(*values), Limits(most, 0.2, 0.5))
    held = [frame for span in spans for frame in range(*span)]
    assert held == sorted(set(held))
    assert {place for place, value in enumerate(values) if value > 0.5} <= set(held)
    assert all(0 < (span.stop - span.start) / 10 <= most for span in spans)
