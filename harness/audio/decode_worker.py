"""Decode one untrusted audio file in a process of its own, measure it, and write it as 16 kHz mono WAV.

`harness.audio.inspect` runs `python -P -m harness.audio.decode_worker SOURCE TARGET SECONDS`, so that a crafted file
which crashes or stalls the decoder ends this process only. Memory is bounded for recordings of any length.
"""

import json
import math
import struct
import sys
import wave
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 16_000
LONGEST = 24 * 3600
"""Seconds of the longest recording that is accepted."""
_MEMORY = 4 << 30
_BLOCK_SECONDS = 30
_CHANNELS = 64
_FULL_SCALE = 0.9999
_ENDLESS = 0x7FFF_0000
"""Programs that write WAV to a pipe do not know its length, and state one from here up."""


@dataclass
class DecodeReport:
    """Properties of a file, measured while it was decoded.

    Attributes:
        announced: samples per channel by the header; None where it does not say.
        frames: samples per channel that were read.
        peak: largest magnitude; 1 is full scale.
        clipped: samples at or above full scale, in all channels.
        not_finite: samples that are NaN or infinite.
        failure: why the file could not be read to its end; empty when it was.
    """

    rate: int = 0
    channels: int = 0
    announced: int | None = None
    frames: int = 0
    peak: float = 0.0
    clipped: int = 0
    not_finite: int = 0
    failure: str = ""


def main() -> None:
    """Decode the file that the arguments name and print the report as one JSON object."""
    source, target, seconds = sys.argv[1:4]
    _limit(int(float(seconds)) + 1)
    print(json.dumps(asdict(decode(Path(source), Path(target)))))


def _limit(seconds: int) -> None:
    """Bound memory and processor time of this process, where the system can."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def decode(source: Path, target: Path) -> DecodeReport:
    """Decode `source` in blocks and write it to `target`: 16 kHz, mono, 16 bit, channels averaged.

    Faults of the file are in the report; `target` is complete only if `failure` is empty.
    """
    import soundfile

    report = DecodeReport()
    try:
        with soundfile.SoundFile(str(source)) as stream:
            report.rate, report.channels = stream.samplerate, stream.channels
            report.announced = _riff_frames(source, stream.frames)
            if not (1_000 <= report.rate <= 768_000 and 1 <= report.channels <= _CHANNELS):
                report.failure = f"{report.rate} Hz and {report.channels} channels are not those of a speech recording"
                return report
            _write(target, report, _blocks(stream, report))
    except soundfile.LibsndfileError as error:
        report.failure = str(error.error_string)
    except (MemoryError, OverflowError, RuntimeError, ValueError) as error:
        report.failure = str(error) or type(error).__name__
    return report


def _blocks(stream: Any, report: DecodeReport) -> Iterator["NDArray[np.float32]"]:
    """Yield the file's samples in blocks, channels averaged, and measure them."""
    import numpy as np

    while len(block := stream.read(_BLOCK_SECONDS * report.rate, dtype="float32", always_2d=True)):
        report.frames += len(block)
        if report.frames > LONGEST * report.rate:
            raise ValueError(f"it is longer than {LONGEST // 3600} hours")
        report.not_finite += int(block.size - np.isfinite(block).sum())
        if report.not_finite:
            return
        loud = np.abs(block)
        report.peak = max(report.peak, float(loud.max()))
        report.clipped += int((loud >= _FULL_SCALE).sum())
        yield block.mean(axis=1, dtype=np.float32)


def _write(target: Path, report: DecodeReport, blocks: Iterator["NDArray[np.float32]"]) -> None:
    import numpy as np

    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        for block in resampled(blocks, report.rate):
            out.writeframes(np.clip(np.round(block * 32768), -32768, 32767).astype("<i2").tobytes())


def resampled(blocks: Iterator["NDArray[np.float32]"], rate: int) -> Iterator["NDArray[np.float32]"]:
    """Resample a stream of mono samples to 16 kHz; the result is that of scipy's polyphase filter on the whole.

    Each block is filtered together with as much of its neighbours as the filter reaches, and begins where an output
    sample coincides with an input sample, so that the borders of blocks leave no trace.
    """
    # soxr resamples streams itself, but its filter passes much less above the band of the original: on telephone
    # speech nearly every 16-bit sample differs, and translations with them. Stored results depend on this filter.
    up, down = RATE // math.gcd(rate, RATE), rate // math.gcd(rate, RATE)
    if up == down:
        yield from blocks
        return
    import numpy as np
    from scipy.signal import resample_poly

    # resample_poly's default filter has 10 * max(up, down) taps on each side, at the rate of input times `up`.
    reach = (10 * max(up, down) // up // down + 2) * down
    unit = max(1, _BLOCK_SECONDS * rate // down) * down
    held, past = np.zeros(0, np.float32), 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= past + unit + reach:
            made = resample_poly(held[: past + unit + reach], up, down)
            yield made[past * up // down : (past + unit) * up // down].astype(np.float32)
            held, past = held[past + unit - reach :], reach
    if len(held) > past:
        yield resample_poly(held, up, down)[past * up // down :].astype(np.float32)


def _riff_frames(path: Path, found: int) -> int | None:
    """Return the samples per channel that a WAV header announces; for other formats what the decoder found.

    libsndfile silently corrects a wrong header by the size of the file, which hides that a file was truncated.
    """
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return found
        width = 0
        while len(chunk := stream.read(8)) == 8:
            name, size = chunk[:4], struct.unpack("<L", chunk[4:])[0]
            if name == b"data":
                return None if not width or size >= _ENDLESS else size // width
            body = stream.read(min(size, 16)) if name == b"fmt " else b""
            width = struct.unpack_from("<H", body, 12)[0] if len(body) >= 14 else width
            stream.seek(size + size % 2 - len(body), 1)
    return found


if __name__ == "__main__":
    main()
