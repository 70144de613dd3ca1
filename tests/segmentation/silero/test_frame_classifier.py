"""silero-vad's network as rebuilt here, against the package's own."""

from pathlib import Path

import numpy as np
import pytest

from harness.audio.recording import open_recording
from harness.segmentation.frames import Frames
from harness.segmentation.silero.frame_classifier import SileroFrameClassifier, speech

RATE = 16_000


def write(path: Path, seconds: float, rate: int = RATE) -> Path:
    import soundfile

    times = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 120 * n * times) / n for n in range(1, 30))
    loud = 0.1 * buzz * (np.sin(2 * np.pi * 3 * times) > 0) + 0.002 * np.random.default_rng(0).normal(size=len(times))
    soundfile.write(path, loud.astype(np.float32), rate, subtype="PCM_16")
    return path


def test_probabilities_are_those_of_the_package(tmp_path: Path) -> None:
    """Forbids other probabilities than silero-vad's own model gives, frame by frame, over more than one block."""
    import soundfile
    import torch

    threads = torch.get_num_threads()
    silero_vad = pytest.importorskip("silero_vad")
    torch.set_num_threads(threads)  # its import sets one thread
    model = silero_vad.load_silero_vad()
    path = write(tmp_path / "buzz.wav", 18.01)
    with torch.no_grad():
        theirs = model.audio_forward(torch.from_numpy(soundfile.read(path, dtype="float32")[0]), RATE)[0].numpy()
    ours = SileroFrameClassifier().classify(open_recording(path), lambda _: None)
    assert ours.rate == 31.25
    assert theirs.max() > 0.3
    assert theirs.min() < 0.01
    np.testing.assert_allclose(ours.probabilities, theirs, atol=1e-5)


def test_another_rate_gives_no_other_number_of_frames(tmp_path: Path) -> None:
    """Forbids that frames are lost or added where blocks of another sampling rate are resampled one by one."""
    pytest.importorskip("silero_vad")
    found = SileroFrameClassifier().classify(open_recording(write(tmp_path / "buzz.wav", 33.0, 11_025)), lambda _: None)
    assert len(found.probabilities) == 1032  # 528000 samples at 16 kHz in frames of 512, rounded up


def test_speech_is_joined_across_short_pauses_and_ends_with_the_recording(tmp_path: Path) -> None:
    """Forbids that a pause under 0.3 s ends an interval, and an interval beyond the end of the recording."""
    recording = open_recording(write(tmp_path / "buzz.wav", 1.95))
    values = np.array([0.1, 0.5, 0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, *[0.9] * 10])
    found = speech(recording, Frames(values, 10.0))
    assert [(one.offset, round(one.duration, 6)) for one in found] == [(0.1, 0.5), (1.0, 0.95)]
    assert speech(recording, Frames(np.zeros(20), 10.0)) == ()
