"""harness.audio.inspect: a hostile recording ends only its own process; unusual recordings are reported."""

import io
import os
import shutil
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from harness.audio import decode_worker as audio_worker
from harness.audio import inspect as audio_check
from harness.audio.decode_worker import decode, resampled
from harness.audio.inspect import examine, normalise
from harness.audio.recording import RATE
from harness.core.errors import UserError
from tests.helpers.handed_out import wav_bytes
from tests.helpers.tiny_corpus import noise


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode in this process, which is faster; the isolated process has tests of its own."""
    monkeypatch.setattr(audio_check, "_decode", lambda source, target, _limit: decode(source, target))


def _wav(data: bytes, announced: int, rate: int = RATE, channels: int = 1) -> bytes:
    speed = (rate * 2 * channels) & 0xFFFFFFFF
    shape = struct.pack("<4sLHHLLHH", b"fmt ", 16, 1, channels, rate, speed, 2 * channels, 16)
    body = b"WAVE" + shape + struct.pack("<4sL", b"data", announced) + data
    return struct.pack("<4sL", b"RIFF", min(36 + announced, 0xFFFFFFFF)) + body


def _with(samples: NDArray[np.float64], **how: object) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, RATE, **{"format": "WAV", "subtype": "FLOAT", **how})
    return out.getvalue()


def _spoilt(value: float) -> bytes:
    samples = np.full(4000, 0.1)
    samples[2000] = value
    return _with(samples)


def _flac() -> bytes:
    return _with(noise(RATE * 3, 2) / 32768, format="FLAC", subtype="PCM_16")


SPEECH = noise(RATE, seed=4).tobytes()
HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "nothing": ("a.wav", lambda: b"", "missing or empty"),
    "text": ("a.wav", lambda: b"<html>Not found</html>" * 50, "cannot be read as audio"),
    "noise": ("a.flac", lambda: np.random.default_rng(0).bytes(9000), "cannot be read as audio"),
    "a header alone": ("a.wav", lambda: _wav(b"", 0), "holds no audio"),
    "a header that denies its content": ("a.wav", lambda: _wav(SPEECH, 0), "holds no audio"),
    "half a header": ("a.wav", lambda: _wav(SPEECH, len(SPEECH))[:30], "cannot be read|holds no audio"),
    "not a number": ("a.wav", lambda: _spoilt(float("nan")), "samples that are not numbers"),
    "an infinite sample": ("a.wav", lambda: _spoilt(float("inf")), "samples that are not numbers"),
    "cut short": ("a.wav", lambda: _wav(SPEECH[:20_000], len(SPEECH)), r"breaks off after 0\.62 s of 1\.00 s"),
    "cut short flac": ("a.flac", lambda: _flac()[:30_000], "breaks off|cannot be read"),
    "no rate": ("a.wav", lambda: _wav(SPEECH, len(SPEECH), rate=0), "cannot be read|not those of a speech recording"),
    "a rate beyond sound": ("a.wav", lambda: _wav(SPEECH, len(SPEECH), rate=4_000_000_000), "Hz|cannot be read"),
    "a thousand channels": ("a.wav", lambda: _wav(SPEECH, len(SPEECH), channels=1000), "channels|cannot be read"),
    "no channel": ("a.wav", lambda: _wav(SPEECH, len(SPEECH), channels=0), "cannot be read|channels"),
    "the wrong name": ("a.mp4", lambda: _wav(SPEECH, len(SPEECH)), "by ffmpeg, which is not installed"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.usefixtures("here")
def test_a_hostile_recording_is_refused_in_one_sentence(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids a traceback, a pass, and a file left where the recording should be."""
    monkeypatch.setenv("PATH", "/nowhere")
    name, make, sentence = HOSTILE[case]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(UserError, match=sentence) as caught:
        normalise(tmp_path / name, tmp_path / "out.wav")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]


ODD: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "plain": (wav_bytes, []),
    "stereo": (lambda: _with(np.full((RATE, 2), 0.1)), ["audio-channels"]),
    "silent": (lambda: _with(np.zeros(RATE)), ["audio-silence"]),
    "nearly silent": (lambda: _with(np.full(RATE, 0.0005)), ["audio-silence"]),
    "clipped": (lambda: _with(np.tile([0.1] * 98 + [1.0, -1.0], 100)), ["audio-clipping"]),
    "loud here and there": (lambda: _with(np.tile([0.1] * 4999 + [1.0], 4)), []),
    "of unknown length": (lambda: _wav(SPEECH, 0xFFFFFFFF), ["audio-length"]),
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.usefixtures("here")
def test_unusual_recordings_are_reported(case: str, tmp_path: Path) -> None:
    """Forbids that silence, clipping, mixing or a header without a length go unreported, and false warnings."""
    make, rules = ODD[case]
    (tmp_path / "a.wav").write_bytes(make())
    found = normalise(tmp_path / "a.wav", tmp_path / "out.wav")
    assert [finding.rule for finding in found] == rules


@pytest.mark.usefixtures("here")
def test_plain_samples_are_not_touched(tmp_path: Path) -> None:
    """Forbids that a 16 kHz, mono, 16-bit file changes by a bit, full scale included."""
    pcm = np.array([0, 1, -1, 32767, -32768, 12345] * 500, dtype=np.int16)
    soundfile.write(tmp_path / "a.flac", pcm, RATE, subtype="PCM_16")
    normalise(tmp_path / "a.flac", tmp_path / "out.wav")
    assert np.array_equal(soundfile.read(tmp_path / "out.wav", dtype="int16")[0], pcm)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 16_001])
def test_blocks_are_resampled_as_the_whole(rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids traces of block borders: compared with scipy's resample_poly on the whole recording."""
    monkeypatch.setattr(audio_worker, "_BLOCK_SECONDS", 3)
    whole = noise(rate * 10 + 77, seed=5).astype(np.float32) / 32768

    def blocks() -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(whole), 12_345):
            yield whole[start : start + 12_345]

    common = np.gcd(rate, RATE)
    expected = resample_poly(whole, RATE // common, rate // common)
    found = np.concatenate(list(resampled(blocks(), rate)))
    assert len(found) == len(expected)
    assert np.abs(found - expected).max() < 1e-6


def test_memory_does_not_grow_with_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids holding a recording whole: of twenty minutes at 8 kHz, less than one is in memory."""
    monkeypatch.setattr(audio_worker, "_BLOCK_SECONDS", 2)
    (tmp_path / "a.wav").write_bytes(_wav(bytes(2 * 8_000 * 1200), 2 * 8_000 * 1200, rate=8_000))
    decode(tmp_path / "a.wav", tmp_path / "warm.wav")
    tracemalloc.start()
    report = decode(tmp_path / "a.wav", tmp_path / "out.wav")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.frames == 8_000 * 1200
    assert peak < 4 * 16_000 * 60


def test_the_process_decodes_and_reports(tmp_path: Path) -> None:
    """Forbids that the process boundary changes samples or findings."""
    soundfile.write(tmp_path / "a.flac", np.full((8000, 2), 0.25), 8000)
    found = normalise(tmp_path / "a.flac", tmp_path / "out.wav")
    assert [finding.rule for finding in found] == ["audio-channels", "audio-rate"]
    decode(tmp_path / "a.flac", tmp_path / "here.wav")
    assert (tmp_path / "out.wav").read_bytes() == (tmp_path / "here.wav").read_bytes()


def _instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Replace the worker by another program, since no file at hand crashes libsndfile."""
    real = subprocess.run

    def run(_command: list[str], **how: object) -> object:
        return real([sys.executable, "-S", "-c", program], **how)  # type: ignore[call-overload]

    monkeypatch.setattr("harness.audio.inspect.subprocess.run", run)


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("import os; os.kill(os.getpid(), 11)", r"crashed the audio decoder \(exit code -11\)"),
        ("import time; time.sleep(60)", "did not finish .* within 0 s"),
        ("print('{\"rate\": ')", "crashed the audio decoder"),
        ("raise MemoryError", r"crashed the audio decoder \(exit code 1\)"),
    ],
)
def test_a_file_ends_only_its_own_process(
    program: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that a crash, a stall or half an answer of the decoder ends or stops the harness."""
    (tmp_path / "a.wav").write_bytes(wav_bytes())
    _instead(monkeypatch, program)
    with pytest.raises(UserError, match=sentence):
        normalise(tmp_path / "a.wav", tmp_path / "out.wav", seconds=0.4)
    assert not (tmp_path / "out.wav").exists()


def test_nothing_in_the_current_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that the process imports modules from the folder in which the harness was started."""
    (tmp_path / "a.wav").write_bytes(wav_bytes())
    (tmp_path / "wave.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    normalise(tmp_path / "a.wav", tmp_path / "out.wav")
    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("here")
def test_a_file_is_examined_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids decoding the same bytes twice, and taking one file's findings for another's."""
    (tmp_path / "a.wav").write_bytes(_with(np.zeros(RATE)))
    first = examine(tmp_path / "a.wav", "0" * 64, tmp_path / "cache")
    monkeypatch.setattr(audio_check, "_decode", lambda *_: pytest.fail("decoded again"))
    assert examine(tmp_path / "a.wav", "0" * 64, tmp_path / "cache") == first
    assert [finding.rule for finding in first] == ["audio-silence"]
    with pytest.raises(pytest.fail.Exception, match="decoded again"):
        examine(tmp_path / "a.wav", "1" * 64, tmp_path / "cache")


def _fake_ffmpeg(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    path = folder / "ffmpeg"
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("here")
def test_a_video_goes_through_ffmpeg_as_a_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that a video may open addresses or playlists, that its name is taken for an option, or its rate kept."""
    (tmp_path / "tone.wav").write_bytes(wav_bytes(rate=48_000))
    said = tmp_path / "said"
    body = (
        f"import shutil; open({str(said)!r}, 'w').write('\\n'.join(sys.argv[1:]));"
        f"shutil.copy({str(tmp_path / 'tone.wav')!r}, sys.argv[-1].removeprefix('file:'))"
    )
    _fake_ffmpeg(tmp_path / "bin", body, monkeypatch)
    (tmp_path / "-talk.1.mp4").write_bytes(b"video")
    found = normalise(tmp_path / "-talk.1.mp4", tmp_path / "out.wav")
    assert [finding.rule for finding in found] == ["audio-rate"]
    assert soundfile.info(tmp_path / "out.wav").frames == RATE
    options = said.read_text().split("\n")
    assert options[options.index("-protocol_whitelist") + 1] == "file"
    assert "hls" not in options[options.index("-format_whitelist") + 1]
    assert f"file:{tmp_path / '-talk.1.mp4'}" in options


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("sys.exit('a.mp4: Invalid data found')", r"ffmpeg found no audio in .*a\.mp4 \(a\.mp4: Invalid data found\)"),
        ("pass", "ffmpeg found no audio"),
        ("import time; time.sleep(60)", "ffmpeg did not finish"),
    ],
)
def test_a_video_that_ffmpeg_cannot_read_is_one_sentence(
    body: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids a traceback, or a file that is silent, where ffmpeg fails or stalls."""
    _fake_ffmpeg(tmp_path / "bin", body, monkeypatch)
    (tmp_path / "a.mp4").write_bytes(b"video")
    with pytest.raises(UserError, match=sentence):
        normalise(tmp_path / "a.mp4", tmp_path / "out.wav", seconds=3)
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.usefixtures("here")
def test_ffmpeg_decodes_its_containers_but_no_playlist(tmp_path: Path) -> None:
    """Forbids that a list of files under the name of a video reads them, and wrong findings about rate and channels."""
    soundfile.write(tmp_path / "b.wav", np.full((48_000, 2), 0.25), 48_000)
    encode = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "b.wav"), "-c:a", "aac", str(tmp_path / "a.m4a")]
    subprocess.run(encode, check=True)
    found = normalise(tmp_path / "a.m4a", tmp_path / "out.wav")
    assert [finding.rule for finding in found] == ["audio-channels", "audio-rate"]
    assert soundfile.info(tmp_path / "out.wav").duration == pytest.approx(1, abs=0.1)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile b.wav\n")
    with pytest.raises(UserError, match="ffmpeg found no audio"):
        normalise(tmp_path / "list.mp4", tmp_path / "list.wav")
