"""Recordings that nobody vouches for: decoded in a process of their own, measured, written as the model hears them."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from harness.audio.decode_worker import DecodeReport
from harness.audio.ffmpeg import SUFFIXES as CONTAINERS
from harness.audio.ffmpeg import extract_audio
from harness.audio.recording import RATE
from harness.core.errors import UserError
from harness.core.files import published, write_json
from harness.core.findings import Finding, Severity

FORMAT = 1
"""Raised whenever the same file gives other samples."""
PLAIN = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".rf64", ".au")
"""Endings of what soundfile reads."""
SUFFIXES = (*PLAIN, *CONTAINERS)
"""Endings of what is taken for a recording."""
_BASE_SECONDS, _SECONDS_PER_BYTE = 300.0, 1e-5
_SILENT = 1e-3
"""Peak below which a recording is silent: -60 dB."""
_CLIPPED = 1e-3
"""Share of samples at full scale from which on a recording is said to be clipped."""
_SLACK = 0.05
"""Seconds by which header and content may differ: some encoders fill up their last frame."""


def normalise(source: Path, target: Path, seconds: float | None = None) -> tuple[Finding, ...]:
    """Write a recording as 16 kHz, mono, 16 bit WAV, whatever it is; what soundfile does not know goes through ffmpeg.

    Args:
        source: audio or video file.
        target: where to write; it appears whole or not at all.
        seconds: how long the decoder may take; by default 300 and 10 for each MB.

    Returns:
        warnings: channels averaged, another rate, silence, clipping, a header that does not know the length.

    Raises:
        UserError: it is missing, empty, no audio, cut short or longer than a day, holds samples that are no numbers, it
            crashed or stalled the decoder, or it needs ffmpeg, which is not there.
    """
    if not source.is_file() or source.stat().st_size == 0:
        raise UserError(f"The recording {source} is missing or empty: replace it by the original.")
    limit = seconds or _BASE_SECONDS + source.stat().st_size * _SECONDS_PER_BYTE
    with published(target) as temporary:
        if source.suffix.lower() in CONTAINERS:
            with tempfile.TemporaryDirectory(dir=target.parent) as folder:
                plain = Path(folder) / "audio.wav"
                extract_audio(source, plain, limit)
                report = _decode(plain, temporary, limit)
        else:
            report = _decode(source, temporary, limit)
        fault = _fault(source, report)
        if fault is not None:
            raise fault
    return tuple(_warnings(source.name, report))


def examine(source: Path, sha256: str, cache: Path) -> tuple[Finding, ...]:
    """Say what `normalise` says of a recording that is read where it lies; a file of the same bytes is decoded once.

    Raises:
        UserError: as `normalise`.
    """
    path = cache / "audio" / f"{sha256}-{FORMAT}.json"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            write_json(path, normalise(source, Path(folder) / "audio.wav"))
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Finding, ...])
    except msgspec.DecodeError as error:
        raise UserError(f"{path} does not read ({error}): remove it and run this again.") from error


def _decode(source: Path, target: Path, limit: float) -> DecodeReport:
    """Ask the worker; what it does not survive is the file's fault."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]))
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-m", "harness.audio.decode_worker", str(source), str(target), str(limit)]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=limit, check=False, env={**os.environ, **single, "PYTHONPATH": path}
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{source} kept the audio decoder busy for over {limit:.0f} s: replace it.") from error
    try:
        return msgspec.json.decode(done.stdout, type=DecodeReport)
    except msgspec.DecodeError as error:
        raise UserError(
            f"{source} crashed the audio decoder (exit code {done.returncode}): replace it by the original recording."
        ) from error


def _fault(source: Path, report: DecodeReport) -> UserError | None:
    """Return what makes a recording useless, as one sentence."""
    lost = (report.announced or 0) - report.frames
    if report.strange:
        reason = "holds samples that are not numbers"
    elif report.failure and report.frames:
        reason = f"breaks off after {report.frames / report.rate:.2f} s ({report.failure.rstrip('.')})"
    elif report.failure:
        reason = f"cannot be read as audio ({report.failure.rstrip('.')})"
    elif not report.frames:
        reason = "holds no audio"
    elif lost > _SLACK * report.rate:
        seconds = (report.frames / report.rate, (report.announced or 0) / report.rate)
        reason = f"breaks off after {seconds[0]:.2f} s of {seconds[1]:.2f} s"
    else:
        return None
    return UserError(f"{source} {reason}: replace it by the original recording.")


def _warnings(name: str, report: DecodeReport) -> list[Finding]:
    found = []
    if report.channels != 1:
        found.append(("audio-channels", f"has {report.channels} channels, which are averaged into one."))
    if report.rate != RATE:
        found.append(("audio-rate", f"is sampled at {report.rate} Hz and is resampled to {RATE} Hz."))
    if report.peak < _SILENT:
        found.append(("audio-silence", "is silent from beginning to end: check that it is the right recording."))
    if (share := report.clipped / (report.frames * report.channels)) > _CLIPPED:
        found.append(("audio-clipping", f"is clipped: {share:.1%} of its samples are at full scale."))
    if report.announced is None:
        found.append(("audio-length", "does not say its length, so nothing shows whether it is whole."))
    elif report.frames - report.announced > _SLACK * report.rate:
        extra = (report.frames - report.announced) / report.rate
        found.append(("audio-length", f"holds {extra:.2f} s more than its header announces; all of it is taken."))
    return [Finding(name, rule, sentence, Severity.WARNING) for rule, sentence in found]
