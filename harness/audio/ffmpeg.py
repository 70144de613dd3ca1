"""Extracting audio with ffmpeg, run as a command, from videos and from audio files that soundfile cannot read.

pydub, which runs ffmpeg too, cannot do this for untrusted and long files. It puts its caller's parameters after the
output, where ffmpeg ignores the whitelists of protocols and formats: a playlist named `talk.mp4` then reads other files
from the disk. It has no time limit, and it holds the decoded audio in memory several times: an hour of stereo at 48 kHz
takes 2 GiB, three hours exceed 4 GiB.
"""

import shutil
import subprocess
from pathlib import Path

from harness.core.errors import UserError

SUFFIXES = (
    ".mp4", ".m4a", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".wma", ".aac",
    ".3gp",
)  # fmt: skip
"""File name suffixes that are decoded by ffmpeg."""
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,asf,aac"
"""Formats that ffmpeg may detect: a playlist under another name could read any file from the disk."""


def extract_audio(source: Path, target: Path, seconds: float) -> None:
    """Write the first audio track of a video or audio file as 16-bit WAV, at its own rate and channels.

    Raises:
        UserError: ffmpeg is not installed, fails or exceeds the time, or the file has no audio.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise UserError(
            f"{source} can only be decoded by ffmpeg, which is not installed: install ffmpeg (for example `apt install "
            f"ffmpeg`), or replace the file by {source.stem}.wav."
        )
    limits = ["-protocol_whitelist", "file", "-format_whitelist", _FORMATS]
    output = ["-map", "0:a:0", "-vn", "-sn", "-dn", "-c:a", "pcm_s16le", "-f", "wav", "-y"]
    command = [program, "-nostdin", "-v", "error", *limits, "-i", f"file:{source}", *output, f"file:{target}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"ffmpeg did not finish {source} within {seconds:.0f} s: replace the file.") from error
    if done.returncode or not target.is_file():
        messages = done.stderr.decode(errors="replace").strip().splitlines()
        reason = " ".join((messages[-1] if messages else f"exit code {done.returncode}").split())[:200]
        raise UserError(f"ffmpeg found no audio in {source} ({reason}): replace it by the original recording.")
