"""Audio files: their properties, parts of them as model input, and their exact PCM bytes."""

import math
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import UserError
from harness.core.findings import Finding, Severity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 16_000
"""Sampling rate in Hz of all model input."""

SLACK = 0.01
"""Seconds by which a segment may end after its recording, since segmentations have rounded decimals."""


@dataclass(frozen=True)
class Recording:
    """An audio file that can be opened and is not empty: sampling rate in Hz, and `frames` samples per channel."""

    path: Path
    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate

    @property
    def samples(self) -> int:
        """Samples per channel after resampling to 16 kHz, at least 1."""
        return max(1, round(self.frames * RATE / self.rate))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Warnings about conversions of the audio to model input."""
        return tuple(conversions(self.path.name, self.channels, self.rate))


def conversions(name: str, channels: int, rate: int) -> Iterator[Finding]:
    """Yield warnings about what is converted in a recording of this number of channels and sampling rate."""
    if channels != 1:
        sentence = f"has {channels} channels, which are averaged into one."
        yield Finding(name, "audio-channels", sentence, Severity.WARNING)
    if rate != RATE:
        sentence = f"is sampled at {rate} Hz and is resampled to {RATE} Hz."
        yield Finding(name, "audio-rate", sentence, Severity.WARNING)


def open_recording(path: Path) -> Recording:
    """Read the header of an audio file in any format that libsndfile knows.

    Raises:
        UserError: the file is missing, empty, or not audio.
    """
    import soundfile

    _refuse_missing_or_empty(path)
    try:
        info = soundfile.info(str(path))
    except soundfile.SoundFileError as error:
        raise _unreadable(path, error) from error
    if info.frames <= 0:
        raise UserError(f"{path} holds no audio: replace it by the original recording.")
    return Recording(path, info.samplerate, info.channels, info.frames)


def read_stretch(recording: Recording, offset: float, duration: float) -> "NDArray[np.float32]":
    """Read a part of a recording, given in seconds, as model input.

    Returns:
        Samples between -1 and 1, shape (round(duration * 16000),), mono at 16 kHz: channels are averaged, another rate
        is resampled by scipy's polyphase filter.

    Raises:
        UserError: the part is empty or exceeds the recording, or the file is truncated or has NaN.
    """
    import numpy as np
    import soundfile

    start, stop = _frame_range(recording, offset, duration)
    try:
        block, _ = soundfile.read(str(recording.path), start=start, stop=stop, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise _unreadable(recording.path, error) from error
    if len(block) != stop - start:
        raise UserError(f"{recording.path} is truncated: replace it by the original recording.")
    if not np.isfinite(block).all():
        raise UserError(f"{recording.path} has samples that are not numbers: replace it by the original recording.")
    samples: NDArray[np.float32] = block.mean(axis=1, dtype=np.float32)
    if recording.rate == RATE:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(recording.rate, RATE)
    return np.asarray(resample_poly(samples, RATE // common, recording.rate // common), dtype=np.float32)


def _frame_range(recording: Recording, offset: float, duration: float) -> tuple[int, int]:
    start, frames = round(offset * recording.rate), round(duration * recording.rate)
    where = f"The segment at {offset:g} s of {duration:g} s"
    if start < 0 or frames <= 0:
        raise UserError(f"{where} in {recording.path} is empty: correct the segmentation.")
    if start + frames > recording.frames + round(SLACK * recording.rate):
        raise UserError(
            f"{where} exceeds {recording.path}, which has {recording.seconds:.3f} s: correct the segmentation, or "
            "replace the recording if it was cut short."
        )
    return start, min(start + frames, recording.frames)


def read_pcm(path: Path) -> bytes:
    """Return the samples of a 16 kHz mono 16-bit WAV file as its bytes (little-endian).

    Raises:
        UserError: the file is missing, empty, truncated, not plain PCM, or of another rate, width or channel count.
    """
    _refuse_missing_or_empty(path)
    try:
        with wave.open(str(path), "rb") as stream:
            found = (stream.getframerate(), stream.getnchannels(), 8 * stream.getsampwidth())
            announced = stream.getnframes()
            data = stream.readframes(announced)
    except (wave.Error, EOFError, OSError) as error:
        raise _unreadable(path, error) from error
    if found != (RATE, 1, 16):
        raise UserError(
            f"{path} has {found[0]} Hz, {found[1]} channel(s) and {found[2]} bits, where {RATE} Hz, 1 channel and 16 "
            "bits are expected: restore the released file."
        )
    if len(data) != 2 * announced:
        raise UserError(f"{path} is truncated: it has {len(data)} of {2 * announced} bytes: restore the released file.")
    if not data:
        raise UserError(f"{path} holds no audio: restore the released file.")
    return data


def write_pcm(path: Path, data: bytes) -> None:
    """Write samples as a 16 kHz mono 16-bit WAV file; equal samples give equal files."""
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(RATE)
        stream.writeframes(data)


def _refuse_missing_or_empty(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"The audio file {path} is missing: restore it, or point to the folder that holds it.")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty (0 bytes): replace it by the original recording.")


def _unreadable(path: Path, error: BaseException) -> UserError:
    return UserError(f"{path} cannot be read as audio ({error}): replace it by the original recording.")
