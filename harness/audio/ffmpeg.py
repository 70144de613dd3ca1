"""ffmpeg, as a command: takes the sound out of videos and of audio that soundfile does not read."""

import shutil
import subprocess
from pathlib import Path

from harness.core.errors import UserError

SUFFIXES = (
    ".mp4", ".m4a", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".wma", ".aac",
    ".3gp",
)  # fmt: skip
"""Endings of the files that are given to ffmpeg."""
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,asf,aac"
"""Containers that ffmpeg may take a file for: a playlist under another name could read any file from the disk."""


def extract_audio(source: Path, target: Path, seconds: float) -> None:
    """Write the first audio track of a file as WAV, at its own rate and channels.

    Args:
        source: the video or audio file.
        target: the WAV file, 16 bit.
        seconds: how long ffmpeg may take.

    Raises:
        UserError: there is no ffmpeg, it fails or stalls, or the file has no sound.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise UserError(
            f"{source} can only be read by ffmpeg, which is not installed: install ffmpeg (for example `apt install "
            f"ffmpeg`), or put a WAV file named {source.stem}.wav in its place."
        )
    limits = ["-protocol_whitelist", "file", "-format_whitelist", _FORMATS]
    sound = ["-map", "0:a:0", "-vn", "-sn", "-dn", "-c:a", "pcm_s16le", "-f", "wav", "-y"]
    command = [program, "-nostdin", "-v", "error", *limits, "-i", f"file:{source}", *sound, f"file:{target}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{source} kept ffmpeg busy for over {seconds:.0f} s: replace it.") from error
    if done.returncode or not target.is_file():
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = " ".join((said[-1] if said else f"exit code {done.returncode}").split())[:200]
        raise UserError(f"ffmpeg finds no sound in {source} ({reason}): replace it by the original recording.")
