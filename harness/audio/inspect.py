"""Untrusted recordings: decoded in an isolated process, inspected, and written in the format that models take."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from harness.audio.decode_worker import DecodeReport
from harness.audio.ffmpeg import SUFFIXES as CONTAINERS
from harness.audio.ffmpeg import extract_audio
from harness.audio.recording import conversions
from harness.core.errors import UserError
from harness.core.files import published
from harness.core.findings import Finding, Severity
from harness.core.store import Store

FORMAT = 1
"""Version of decoding: raised whenever the same file gives other samples."""
PLAIN = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".rf64", ".au")
"""File name suffixes that soundfile reads."""
SUFFIXES = (*PLAIN, *CONTAINERS)
"""File name suffixes of recordings."""
_BASE_SECONDS, _SECONDS_PER_BYTE = 300.0, 1e-5
_SILENT = 1e-3
"""Peak below which a recording is silent: -60 dB."""
_CLIPPED = 1e-3
"""Share of samples at full scale from which on a recording counts as clipped."""
_SLACK = 0.05
"""Seconds by which header and content may differ: some encoders pad their last frame."""
INSPECTIONS = Store("audio-inspection", tuple[Finding, ...], FORMAT)


def normalise(source: Path, target: Path, seconds: float | None = None) -> tuple[Finding, ...]:
    """Write a recording in any format as 16 kHz, mono, 16-bit WAV; ffmpeg decodes what soundfile does not read.

    The target is written whole or not at all. The decoder's time limit is by default 300 seconds plus 10 for each MB.

    Returns:
        Warnings: channels averaged, another rate, silence, clipping, a header without a length.

    Raises:
        UserError: the file is missing, empty, not audio, truncated or longer than a day, has samples that are not
            numbers, crashes or stalls the decoder, or needs ffmpeg, which is not installed.
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
        if reason := _fault(report):
            raise UserError(f"{source} {reason}: replace it by the original recording.")
    return (*conversions(source.name, report.channels, report.rate), *_warnings(source.name, report))


def examine(source: Path, sha256: str, cache: Path) -> tuple[Finding, ...]:
    """Return the warnings of `normalise` about a recording that is used in place; the same bytes are decoded once.

    Raises:
        UserError: as `normalise`.
    """
    entry = INSPECTIONS.entry(cache / "audio", [source.name, sha256])
    if (stored := entry.recall()) is not None:
        return stored
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        found = normalise(source, Path(folder) / "audio.wav")
    entry.write(found)
    return found


def _decode(source: Path, target: Path, limit: float) -> DecodeReport:
    """Decode in an isolated process; if that process fails, the file is at fault."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]))
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-P", "-m", "harness.audio.decode_worker", str(source), str(target), str(limit)]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=limit, check=False, env={**os.environ, **single, "PYTHONPATH": path}
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"The audio decoder did not finish {source} within {limit:.0f} s: replace the file.") from error
    try:
        return msgspec.json.decode(done.stdout, type=DecodeReport)
    except msgspec.DecodeError as error:
        raise UserError(
            f"{source} crashed the audio decoder (exit code {done.returncode}): replace it by the original recording."
        ) from error


def _fault(report: DecodeReport) -> str:
    """Return what makes a recording unusable; empty where nothing does."""
    announced = report.announced or 0
    if report.not_finite:
        return "has samples that are not numbers"
    if report.failure:
        broken = f"breaks off after {report.frames / report.rate:.2f} s" if report.frames else "cannot be read as audio"
        return f"{broken} ({report.failure.rstrip('.')})"
    if not report.frames:
        return "holds no audio"
    if announced - report.frames > _SLACK * report.rate:
        return f"breaks off after {report.frames / report.rate:.2f} s of {announced / report.rate:.2f} s"
    return ""


def _warnings(name: str, report: DecodeReport) -> list[Finding]:
    found = []
    if report.peak < _SILENT:
        found.append(("audio-silence", "is silent throughout: check that it is the right recording."))
    if (share := report.clipped / (report.frames * report.channels)) > _CLIPPED:
        found.append(("audio-clipping", f"is clipped: {share:.1%} of its samples are at full scale."))
    if report.announced is None:
        found.append(("audio-length", "has no length in its header, so it cannot be checked for completeness."))
    elif report.frames - report.announced > _SLACK * report.rate:
        extra = (report.frames - report.announced) / report.rate
        found.append(("audio-length", f"has {extra:.2f} s more than its header announces; all of it is used."))
    return [Finding(name, rule, sentence, Severity.WARNING) for rule, sentence in found]
