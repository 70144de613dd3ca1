"""From frames to segments: the model's window, the recording's end, and what is reported."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.audio.recording import RATE, Recording
from harness.config.segmentation import Algorithm, Segmenting
from harness.segmentation.cut import cut
from harness.segmentation.fixed import fixed
from harness.segmentation.frames import Frames

SETTINGS = Segmenting(window=2.0, max_seconds=1.0, min_seconds=0.2)


def recording(seconds: float) -> Recording:
    return Recording(Path("a.wav"), RATE, 1, round(seconds * RATE))


def found(values: list[float], algorithm: Algorithm, seconds: float | None = None):  # type: ignore[no-untyped-def]  # noqa: ANN201
    settings = msgspec.structs.replace(SETTINGS, algorithm=algorithm)
    return cut(recording(seconds or len(values) / 10), Frames(np.array(values), 10.0), settings)


def test_no_segment_is_longer_than_the_window() -> None:
    """No segment that the rule leaves too long reaches the model: it is divided, nothing of it is lost, and that is
    reported."""
    made = found([0.9] * 50, Algorithm.PDAC_NOT_STRICT)
    assert all(one.duration <= 2.0 for one in made.segments)
    assert sum(one.duration for one in made.segments) == pytest.approx(5.0)
    assert [one.rule for one in made.findings] == ["over-max"]


def test_no_segment_leaves_its_recording() -> None:
    """No last frame, rounded up, ends after the recording."""
    made = found([0.9] * 5, Algorithm.PDAC, seconds=0.4961)
    assert [(one.offset, one.duration) for one in made.segments] == [(0.0, 0.4961)]


def test_silence_is_reported() -> None:
    """No recording without speech goes by in silence."""
    made = found([0.1] * 5, Algorithm.PDAC)
    assert (made.segments, [one.rule for one in made.findings]) == ((), ["no-speech"])


def test_dropped_speech_is_reported() -> None:
    """No speech that strict pDAC drops goes by in silence; the one frame of each split is its way."""
    settings = Segmenting(window=2.0, max_seconds=0.5, min_seconds=0.2)
    values = np.array([0.9, 0.99, 0.7, 0.6, 0.8, 0.9])
    made = cut(recording(0.6), Frames(values, 10.0), settings)
    assert [one.rule for one in made.findings] == ["speech-dropped"]
    assert "0.20 s" in made.findings[0].sentence
    assert not found([0.9] * 12, Algorithm.PDAC).findings
    assert not cut(
        recording(0.6), Frames(values, 10.0), msgspec.structs.replace(settings, algorithm=Algorithm.PDAC_WHOLE)
    ).findings


def test_misplaced_segments_are_reported() -> None:
    """No segment that pSTRM as published puts in the wrong place goes by in silence."""
    values = [0.9] * 5 + [0.1] + [0.9] * 20
    assert "shifted" in [one.rule for one in found(values, Algorithm.PSTRM).findings]
    assert not found(values, Algorithm.PSTRM_ALIGNED).findings


def test_fixed_windows_are_equal_and_cover_everything() -> None:
    """No stub at the end, no gap, no window over the limit, and none after the recording."""
    made = fixed(recording(10.00004), 3.0)
    assert [(one.offset, one.duration) for one in made] == [(0.0, 2.5), (2.5, 2.5), (5.0, 2.5), (7.5, 2.5)]
    assert [one.duration for one in fixed(recording(3.0), 3.0)] == [3.0]
    odd = fixed(recording(7.0), 3.0)
    assert sum(one.duration for one in odd) == pytest.approx(7.0)
    assert max(one.duration for one in odd) <= 3.0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"max_seconds": 3.0}, "at most segmentation.window"),
        ({"min_seconds": 1.5}, "below segmentation.max_seconds"),
        ({"min_seconds": -0.1}, "at least 0"),
        ({"threshold": 1.5}, "between 0 and 1"),
        ({"max_seconds": float("nan")}, "above 0"),
        ({"default": "gould"}, "No segmentation is named"),
        ({"sets": {"x": "gould"}}, "No segmentation is named"),
    ],
)
def test_settings_under_which_nothing_stands_are_refused(changes: dict[str, object], sentence: str) -> None:
    """No limit is taken that loses all audio (min over max) or exceeds what the model hears."""
    with pytest.raises(ValueError, match=sentence):
        msgspec.structs.replace(SETTINGS, **changes)
