"""harness.segmentation.pause: against pydub itself on the whole recording, and by hand."""

import tracemalloc
import warnings
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.audio.recording import RATE, Recording, open_recording, write_pcm
from harness.config.segmentation import PauseSettings, Segmenting
from harness.core.workdir import WorkDir
from harness.segmentation import pause as module
from harness.segmentation import segment, segment_with_findings
from harness.segmentation.pause import PauseDetector, TimeSpan, split_at_pauses
from harness.testsets.load import load_test_set
from tests.helpers.tiny_corpus import rows, write_corpus, write_manifest

SETTINGS = Segmenting(default="pause", window=6.0, max_seconds=4.0, pause=PauseSettings(short_seconds=0.5))


def write(path: Path, *parts: tuple[float, float], rate: int = RATE) -> Path:
    """Write a recording whose parts are noise of given length in seconds and level relative to full scale."""
    random = np.random.default_rng(0)
    samples = [level * random.uniform(-1, 1, round(seconds * rate)) for seconds, level in parts]
    soundfile.write(path, np.concatenate(samples), rate, subtype="PCM_16")
    return path


def found(path: Path, settings: Segmenting = SETTINGS) -> list[float]:
    """Return start and stop of each segment in seconds, one after the other."""
    made = split_at_pauses(open_recording(path), settings).segments
    return [border for one in made for border in (one.offset, one.offset + one.duration)]


def near(*borders: float) -> object:
    """Return what borders equal that are found to within two steps of the detection."""
    return pytest.approx(borders, abs=0.021)


@pytest.mark.parametrize("shortest", [50, 300, 333])
def test_blocks_have_the_pauses_of_the_whole(shortest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a pause at the border of a block is missed, moved or divided: pydub on the whole decides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pydub import AudioSegment
        from pydub.silence import detect_silence
    random = np.random.default_rng(3)
    parts = [(float(seconds), level) for seconds in random.uniform(0.04, 0.9, 24) for level in (0.3, 0.001)]
    detector = PauseDetector(open_recording(write(tmp_path / "a.wav", *parts)), -16.0)
    monkeypatch.setattr(module, "_BLOCK", 1000)
    pcm = soundfile.read(tmp_path / "a.wav", dtype="int16")[0]
    whole = AudioSegment(pcm.tobytes(), sample_width=2, frame_rate=RATE, channels=1)
    expected = detect_silence(whole, shortest, detector.loudness - 16.0, 10)
    assert len(expected) > 5
    assert [list(pause) for pause in detector.pauses(detector.whole, shortest)] == expected
    assert detector.loudness == pytest.approx(whole.dBFS, abs=0.01)


def test_segments_end_at_pauses(tmp_path: Path) -> None:
    """Forbids other segments than the sounds between the pauses, each with 0.1 s of the pause around it."""
    path = write(tmp_path / "a.wav", (0.5, 0), (2, 0.3), (0.5, 0.001), (1.5, 0.3), (0.2, 0), (1, 0.3), (1, 0))
    assert found(path) == near(0.4, 2.6, 2.9, 5.8)


def test_long_sound_is_divided_at_shorter_pauses_then_equally(tmp_path: Path) -> None:
    """Forbids segments over the limit, division where a shorter pause would do, and unreported equal division."""
    path = write(tmp_path / "a.wav", (3, 0.3), (0.2, 0), (3, 0.3), (0.5, 0), (6, 0.3))
    assert found(path) == near(0.0, 3.1, 3.1, 6.3, 6.6, 9.7, 9.7, 12.7)
    made = split_at_pauses(open_recording(path), SETTINGS)
    assert [(one.rule, one.path) for one in made.findings] == [("no-pause", "a.wav")]
    assert "at 1 of the places" in made.findings[0].sentence


def test_short_sound_joins_the_nearer_neighbour_if_that_fits(tmp_path: Path) -> None:
    """Forbids segments of a word where a neighbour has room, and joining beyond the limit."""
    path = write(tmp_path / "near.wav", (2, 0.3), (0.4, 0), (0.3, 0.3), (0.8, 0), (2, 0.3))
    assert found(path) == near(0.0, 2.8, 3.4, 5.5)
    full = write(tmp_path / "full.wav", (3.9, 0.3), (0.4, 0), (0.3, 0.3), (0.4, 0), (3.9, 0.3))
    assert found(full) == near(0.0, 3.95, 4.2, 4.7, 4.95, 8.9)
    never = msgspec.structs.replace(SETTINGS, pause=PauseSettings(short_seconds=0))
    assert found(path, never) == near(0.0, 2.1, 2.3, 2.8, 3.4, 5.5)


@pytest.mark.parametrize("level", [0.0, 0.0005])
def test_a_silent_recording_has_no_segment(level: float, tmp_path: Path) -> None:
    """Forbids segments of silence or of barely audible noise, and that they go unreported."""
    made = split_at_pauses(open_recording(write(tmp_path / "a.wav", (2, level))), SETTINGS)
    assert (made.segments, [one.rule for one in made.findings]) == ((), ["no-speech"])


def test_the_level_is_relative_to_the_recording(tmp_path: Path) -> None:
    """Forbids that a quiet recording is divided in another way than a loud one."""
    parts = [(1.0, 0.5), (0.5, 0.01), (1.0, 0.5)]
    loud = found(write(tmp_path / "loud.wav", *parts))
    quiet = found(write(tmp_path / "quiet.wav", *((seconds, level / 20) for seconds, level in parts)))
    assert loud == near(0.0, 1.1, 1.4, 2.5)
    assert quiet == near(0.0, 1.1, 1.4, 2.5)


class _Hour:
    """A detector that finds given pauses in an hour, and none that are shorter."""

    whole = TimeSpan(0, 3_600_000)
    loudness = -20.0

    def __init__(self, pauses: Sequence[TimeSpan]) -> None:
        self._pauses = pauses

    def pauses(self, within: TimeSpan, shortest: int) -> list[TimeSpan]:
        return [
            one
            for one in self._pauses
            if one.length >= shortest and one.start >= within.start and one.stop <= within.stop
        ]


@given(st.lists(st.tuples(st.integers(1, 30_000), st.integers(10, 20_000)), max_size=60), st.floats(0, 5))
def test_no_sound_is_lost_and_no_segment_is_too_long(lengths: list[tuple[int, int]], short: float) -> None:
    """Forbids segments that overlap, exceed the limit, or leave out sound, whatever the pauses are."""
    edges = list(accumulate((length for pair in lengths for length in pair), initial=0))[1:]
    pauses = [TimeSpan(*pair) for pair in zip(edges[::2], edges[1::2], strict=True)]
    settings = msgspec.structs.replace(SETTINGS, pause=PauseSettings(short_seconds=short))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PauseDetector", lambda *_: _Hour(pauses))
        made = split_at_pauses(Recording(Path("a.wav"), RATE, 1, 3600 * RATE), settings).segments
    borders = [(round(1000 * one.offset), round(1000 * (one.offset + one.duration))) for one in made]
    assert all(0 < stop - start <= 4000 for start, stop in borders)
    assert all(before[1] <= after[0] for before, after in pairwise(borders))
    silent = [(before[1], after[0]) for before, after in pairwise(borders) if before[1] < after[0]]
    shortest = [pause for pause in pauses if pause.length >= 50]
    assert all(any(pause.start <= start and stop <= pause.stop for pause in shortest) for start, stop in silent)


def _noise(_: object, __: float, duration: float) -> NDArray[np.float32]:
    return np.random.default_rng(1).random(round(duration * RATE), dtype=np.float32)


def test_memory_does_not_grow_with_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids holding a recording whole: of an hour, memory has less than a quarter of the samples."""
    path = write(tmp_path / "a.wav", (0.1, 0.1))
    recording = open_recording(path)
    object.__setattr__(recording, "frames", 3600 * RATE)
    monkeypatch.setattr(module, "read_stretch", _noise)
    monkeypatch.setattr(module, "_STEP", 1000)
    detector = PauseDetector(recording, -16.0)
    detector.pauses(TimeSpan(0, 2000), 300)
    tracemalloc.start()
    assert detector.pauses(detector.whole, 300) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3600 * RATE * 2 / 4


def test_results_are_stored_and_repeatable(tmp_path: Path, workdir: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids other segments in a second run, computing a stored result, and one result for two settings."""
    write_corpus(tmp_path / "corpus" / "eval", rows(3))
    test_set = load_test_set(write_manifest(tmp_path / "tiny.toml", tmp_path / "corpus"), workdir)
    write_pcm(test_set.audio / test_set.file_order[1], bytes(2 * 3 * RATE))
    made = segment_with_findings(test_set, SETTINGS, workdir)
    assert [one.path for one in made.findings if one.rule == "no-speech"] == [test_set.file_order[1]]
    assert segment_with_findings(test_set, SETTINGS, WorkDir(tmp_path / "again")) == made
    other = msgspec.structs.replace(SETTINGS, pause=PauseSettings(pause_seconds=0.5))
    assert segment(test_set, other, workdir).key != made.segmentation.key
    monkeypatch.setattr(module, "split_at_pauses", lambda *_: pytest.fail("computed again"))
    assert segment_with_findings(test_set, SETTINGS, workdir) == made


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pause_seconds": 0.01}, r"pause_seconds must be between 0\.05 and 60"),
        ({"pause_seconds": float("nan")}, "pause_seconds must be between"),
        ({"silence_db": 0.0}, "silence_db must be at least -96 and below 0"),
        ({"short_seconds": -1.0}, "short_seconds must be at least 0"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, float], sentence: str) -> None:
    """Forbids settings by which nothing or everything is a pause."""
    with pytest.raises(ValueError, match=sentence):
        PauseSettings(**changes)
