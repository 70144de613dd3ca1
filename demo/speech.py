"""Synthetic speech from espeak-ng and flite: 16 kHz, mono, silence trimmed."""

import subprocess
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

RATE = 16_000
LONGEST = int(5.5 * RATE)
Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Voice:
    """A voice of a synthesiser; `general` ones are used in pre-training."""

    engine: str
    name: str
    general: bool = True


VOICES = (
    Voice("espeak-ng", "en-us"),
    Voice("espeak-ng", "en-us+f2"),
    Voice("espeak-ng", "en-us+m3"),
    Voice("espeak-ng", "en-gb+m5"),
    Voice("espeak-ng", "en-gb+f4"),
    Voice("espeak-ng", "en-gb-x-rp+m1"),
    Voice("espeak-ng", "en-gb-x-gbclan+m7"),
    Voice("flite", "slt"),
    Voice("flite", "kal16"),
    Voice("flite", "rms"),
    Voice("flite", "awb", general=False),
    Voice("espeak-ng", "en-gb-scotland+f3", general=False),
    Voice("espeak-ng", "en-029+m2", general=False),
    Voice("espeak-ng", "en-gb-x-gbcwmd+f5", general=False),
)
GENERAL = tuple(i for i, voice in enumerate(VOICES) if voice.general)


def _command(voice: Voice, text: str, tempo: float, pitch: int) -> list[str]:
    if voice.engine == "flite":
        stretch = f"duration_stretch={1 / tempo:.3f}"
        return ["flite", "-voice", voice.name, "--setf", stretch, "-t", text, "-o", "/dev/stdout"]
    speed = str(round(175 * tempo))
    return ["espeak-ng", "-v", voice.name, "-s", speed, "-p", str(pitch), "--stdout", text]


def trim(samples: Samples, floor: float = 0.01, margin: int = RATE // 20) -> Samples:
    """Cut the silence at both ends, keeping a short margin."""
    loud = np.flatnonzero(np.abs(samples) > floor * np.abs(samples).max())
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]


def _decode(data: bytes) -> tuple[Samples, int]:
    # Both engines write the header before they know the length, which is wrong in it.
    rate = int.from_bytes(data[24:28], "little")
    payload = data[data.index(b"data") + 8 :]
    samples = np.frombuffer(payload[: len(payload) // 2 * 2], dtype="<i2")
    return samples.astype(np.float32) / 32768, rate


def speak(voice: Voice, text: str, tempo: float, pitch: int) -> Samples:
    """Return the text as speech with a peak level of 0.5."""
    output = subprocess.run(_command(voice, text, tempo, pitch), capture_output=True, check=True).stdout
    samples, rate = _decode(output)
    if rate != RATE:
        samples = resample_poly(samples, RATE, rate).astype(np.float32)
    samples = trim(samples)
    return samples * np.float32(0.5 / np.abs(samples).max())


def speak_varied(rng: Random, voice: int, text: str) -> Samples | None:
    """Return the text as speech at a random tempo and pitch, or None where it is longer than the model's window."""
    samples = speak(VOICES[voice], text, rng.uniform(0.9, 1.2), rng.randrange(35, 66))
    return samples if len(samples) <= LONGEST else None
