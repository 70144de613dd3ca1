"""harness.audio.recording: parts of recordings as model input, and files that are refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from harness.audio.recording import RATE, open_recording, read_pcm, read_stretch, write_pcm
from harness.core.errors import UserError
from tests.helpers.tiny_corpus import noise


def tone(rate: int, seconds: float = 1.0) -> NDArray[np.float64]:
    """440 Hz at half of full scale."""
    wave: NDArray[np.float64] = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)
    return wave


def strongest(samples: NDArray[np.float32]) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE / len(samples))


def test_a_stretch_is_exactly_those_samples(tmp_path: Path) -> None:
    """Forbids that offset or scale are off: 16-bit samples are read as themselves over 32768."""
    pcm = noise(16_000, seed=1)
    soundfile.write(tmp_path / "a.wav", pcm, RATE, subtype="PCM_16")
    found = read_stretch(open_recording(tmp_path / "a.wav"), 123 / RATE, 4567 / RATE)
    assert np.array_equal(found, pcm[123 : 123 + 4567].astype(np.float32) / 32768)


def test_a_plain_recording_has_no_findings(tmp_path: Path) -> None:
    """Forbids warnings about files in the expected format."""
    soundfile.write(tmp_path / "a.wav", tone(RATE), RATE)
    assert open_recording(tmp_path / "a.wav").findings == ()


def test_stereo_is_averaged_and_reported(tmp_path: Path) -> None:
    """Forbids that one channel is dropped, and that mixing goes unreported."""
    soundfile.write(tmp_path / "a.wav", np.stack([tone(RATE), np.zeros(RATE)], axis=1), RATE, subtype="FLOAT")
    recording = open_recording(tmp_path / "a.wav")
    found = read_stretch(recording, 0, 1)
    assert np.allclose(found, tone(RATE) / 2, atol=1e-6)
    assert [finding.rule for finding in recording.findings] == ["audio-channels"]


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_another_rate_is_resampled_and_reported(tmp_path: Path, rate: int) -> None:
    """Forbids that 8 kHz audio is read at double speed: 440 Hz stay 440 Hz, one second stays one second."""
    soundfile.write(tmp_path / "a.wav", tone(rate, 2), rate)
    recording = open_recording(tmp_path / "a.wav")
    found = read_stretch(recording, 0.5, 1)
    assert len(found) == RATE
    assert strongest(found) == pytest.approx(440, abs=1)
    assert float(np.std(found)) == pytest.approx(0.5 / 2**0.5, rel=0.02)
    assert [finding.rule for finding in recording.findings] == ["audio-rate"]


def write_nothing(path: Path) -> None:
    path.touch()


def write_header_only(path: Path) -> None:
    soundfile.write(path, np.zeros(0), RATE)


def write_garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def write_no_file(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (write_no_file, "is missing"),
        (write_nothing, "is empty"),
        (write_header_only, "holds no audio"),
        (write_garbage, "cannot be read as audio"),
    ],
)
def test_an_unreadable_file_is_refused_by_name(tmp_path: Path, write: object, sentence: str) -> None:
    """Forbids that a missing, empty or corrupt file is read as silence."""
    assert callable(write)
    write(tmp_path / "talk.1.wav")
    with pytest.raises(UserError, match=rf"talk\.1\.wav.*{sentence}"):
        open_recording(tmp_path / "talk.1.wav")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    """Forbids that a truncated recording gives a shorter segment."""
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(RATE * 3, seed=2), RATE, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(UserError, match=r"a\.flac (cannot be read|is truncated)"):
        read_stretch(open_recording(path), 2, 1)


def test_samples_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    """Forbids that NaN samples reach the model, which would generate noise from them."""
    samples = tone(RATE)
    samples[5000] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(UserError, match="not numbers"):
        read_stretch(open_recording(tmp_path / "a.wav"), 0, 1)


@pytest.mark.parametrize(("offset", "duration"), [(0.5, 0.6), (0.2, 0.0), (0.2, -1.0), (-0.1, 0.5), (2.0, 0.1)])
def test_segments_outside_of_the_recording_are_refused(tmp_path: Path, offset: float, duration: float) -> None:
    """Forbids that a segment is silently shortened to the end of the recording."""
    soundfile.write(tmp_path / "a.wav", tone(RATE), RATE)
    with pytest.raises(UserError, match=r"exceeds|is empty"):
        read_stretch(open_recording(tmp_path / "a.wav"), offset, duration)


def test_a_segment_may_end_a_rounding_later(tmp_path: Path) -> None:
    """Forbids that a segmentation with rounded decimals is refused for its last millisecond."""
    soundfile.write(tmp_path / "a.wav", tone(RATE), RATE)
    assert len(read_stretch(open_recording(tmp_path / "a.wav"), 0.5, 0.501)) == RATE // 2


def test_pcm_is_written_and_read_exactly(tmp_path: Path) -> None:
    """Forbids that materialised files differ from the samples, or that libsndfile reads them differently."""
    pcm = noise(3000, seed=3)
    write_pcm(tmp_path / "a.wav", pcm.tobytes())
    assert read_pcm(tmp_path / "a.wav") == pcm.tobytes()
    assert np.array_equal(soundfile.read(tmp_path / "a.wav", dtype="int16")[0], pcm)


@pytest.mark.parametrize(
    ("rate", "channels", "subtype", "sentence"),
    [(8_000, 1, "PCM_16", "8000 Hz"), (RATE, 2, "PCM_16", r"2 channel"), (RATE, 1, "PCM_24", "24 bits")],
)
def test_released_files_of_another_kind_are_refused(
    tmp_path: Path, rate: int, channels: int, subtype: str, sentence: str
) -> None:
    """Forbids that gold segments are looked for in recordings of another format."""
    soundfile.write(tmp_path / "a.wav", np.zeros((500, channels)), rate, subtype=subtype)
    with pytest.raises(UserError, match=sentence):
        read_pcm(tmp_path / "a.wav")


def test_truncated_released_files_are_refused(tmp_path: Path) -> None:
    """Forbids that a gold file cut short by a broken download passes for a shorter segment."""
    write_pcm(tmp_path / "a.wav", noise(3000, seed=3).tobytes())
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-100])
    with pytest.raises(UserError, match="is truncated: it has 5900 of 6000 bytes"):
        read_pcm(tmp_path / "a.wav")
