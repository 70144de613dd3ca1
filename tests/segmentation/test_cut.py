"""harness.segmentation.cut: the model's window, the end of the recording, and the findings."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.audio.recording import RATE, Recording
from harness.config.segmentation import Algorithm, Segmenting
from harness.segmentation.cut import cut
from harness.segmentation.frames import Frames

SETTINGS = Segmenting(window=2.0, max_seconds=1.0, min_seconds=0.2)


def recording(seconds: float) -> Recording:
    return Recording(Path("a.wav"), RATE, 1, round(seconds * RATE))


def found(values: list[float], algorithm: Algorithm, seconds: float | None = None):  # type: ignore[no-untyped-def]  # noqa: ANN201
    settings = msgspec.structs.replace(SETTINGS, algorithm=algorithm)
    return cut(recording(seconds or len(values) / 10), Frames(np.array(values), 10.0), settings)


def test_no_segment_is_longer_than_the_window() -> None:
    """Forbids segments beyond the model's window: they are divided without loss, and that is reported."""
    made = found([0.9] * 50, Algorithm.PDAC_NOT_STRICT)
    assert all(one.duration <= 2.0 for one in made.segments)
    assert sum(one.duration for one in made.segments) == pytest.approx(5.0)
    assert [one.rule for one in made.findings] == ["over-max"]


def test_no_segment_leaves_its_recording() -> None:
    """Forbids that a last frame, rounded up, ends after the recording."""
    made = found([0.9] * 5, Algorithm.PDAC, seconds=0.4961)
    assert [(one.offset, one.duration) for one in made.segments] == [(0.0, 0.4961)]


def test_silence_is_reported() -> None:
    """Forbids that a recording without speech goes unreported."""
    made = found([0.1] * 5, Algorithm.PDAC)
    assert (made.segments, [one.rule for one in made.findings]) == ((), ["no-speech"])


def test_dropped_speech_is_reported() -> None:
    """Forbids that speech dropped by strict pDAC goes unreported; the one frame of each split does not count."""
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
    """Forbids that segments which the published pSTRM misplaces go unreported."""
    values = [0.9] * 5 + [0.1] + [0.9] * 20
    assert "shifted" in [one.rule for one in found(values, Algorithm.PSTRM).findings]
    assert not found(values, Algorithm.PSTRM_ALIGNED).findings


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"max_seconds": 3.0}, "at most segmentation.window"),
        ({"min_seconds": 1.5}, "below segmentation.max_seconds"),
        ({"min_seconds": -0.1}, "at least 0"),
        ({"threshold": 1.5}, "between 0 and 1"),
        ({"max_seconds": float("nan")}, "above 0"),
    ],
)
def test_impossible_limits_are_refused(changes: dict[str, object], sentence: str) -> None:
    """Forbids limits that lose all audio (min over max) or exceed the model's window."""
    with pytest.raises(ValueError, match=sentence):
        msgspec.structs.replace(SETTINGS, **changes)
