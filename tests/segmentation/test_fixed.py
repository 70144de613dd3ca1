"""harness.segmentation.fixed: windows worked out by hand."""

from pathlib import Path

import pytest

from harness.audio.recording import RATE, Recording
from harness.segmentation.fixed import fixed


def recording(seconds: float) -> Recording:
    return Recording(Path("a.wav"), RATE, 1, round(seconds * RATE))


def test_fixed_windows_are_equal_and_cover_everything() -> None:
    """Forbids a short last window, a gap, a window over the limit, and one beyond the end of the recording."""
    made = fixed(recording(10.00004), 3.0)
    assert [(one.offset, one.duration) for one in made] == [(0.0, 2.5), (2.5, 2.5), (5.0, 2.5), (7.5, 2.5)]
    assert [one.duration for one in fixed(recording(3.0), 3.0)] == [3.0]
    odd = fixed(recording(7.0), 3.0)
    assert sum(one.duration for one in odd) == pytest.approx(7.0)
    assert max(one.duration for one in odd) <= 3.0
