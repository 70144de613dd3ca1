"""Decode one untrusted audio file in a process of its own, measure it, and write it as 16 kHz mono WAV.

`harness.audio.inspect` runs `python -m harness.audio.decode_worker SOURCE TARGET SECONDS`: a crafted file can crash or
stall the decoder, and then ends only this process. Memory stays bounded for recordings of any length.
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
"""Seconds of the longest recording that is taken."""
_MEMORY = 4 << 30
_BLOCK_SECONDS = 30
_RATES = (1_000, 768_000)
_CHANNELS = 64
_FULL_SCALE = 0.9999
_ENDLESS = 0x7FFF_0000
"""Lengths from here on are what programs write that do not know the length yet, because they write to a pipe."""


@dataclass
class DecodeReport:
    """What a file holds.

    Attributes:
        rate: samples per second.
        channels: of the file.
        announced: samples per channel by the header; None where it does not say.
        frames: samples per channel that were read.
        peak: largest magnitude; 1 is full scale.
        clipped: samples at or over full scale, in all channels.
        strange: samples that are no finite numbers.
        failure: why the file could not be read to its end; empty when it was.
        unknown: whether it is in no format that the decoder knows.
    """

    rate: int = 0
    channels: int = 0
    announced: int | None = None
    frames: int = 0
    peak: float = 0.0
    clipped: int = 0
    strange: int = 0
    failure: str = ""
    unknown: bool = False


def main() -> None:
    """Read the file, write it, and print what was report as one JSON object."""
    source, target, seconds = sys.argv[1:4]
    _limit(int(float(seconds)) + 1)
    print(json.dumps(asdict(decode(Path(source), Path(target)))))


def _limit(seconds: int) -> None:
    """Bound memory and processor time of this process, where the system can."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def decode(source: Path, target: Path) -> DecodeReport:
    """Decode `source` in blocks and write it to `target`: 16 kHz, mono, 16 bit, channels averaged.

    What is wrong with the file is said in the result; `target` is of use only when `failure` is empty.
    """
    import soundfile

    report = DecodeReport()
    try:
        with soundfile.SoundFile(str(source)) as stream:
            report.rate, report.channels = stream.samplerate, stream.channels
            report.announced = _riff_frames(source, stream.frames)
            if not (_RATES[0] <= report.rate <= _RATES[1] and 1 <= report.channels <= _CHANNELS):
                report.failure = f"{report.rate} Hz and {report.channels} channels are no recording of speech"
                return report
            _write(target, report, _blocks(stream, report))
    except soundfile.LibsndfileError as error:
        report.failure = str(error.error_string)
        report.unknown = error.code == 1
    except (MemoryError, OverflowError, RuntimeError, ValueError) as error:
        report.failure = str(error) or type(error).__name__
    return report


def _blocks(stream: Any, report: DecodeReport) -> Iterator["NDArray[np.float32]"]:
    """Yield the file's samples, channels averaged, and measure them on the way."""
    import numpy as np

    while True:
        block = stream.read(_BLOCK_SECONDS * report.rate, dtype="float32", always_2d=True)
        if not len(block):
            return
        report.frames += len(block)
        if report.frames > LONGEST * report.rate:
            raise ValueError(f"it is longer than {LONGEST // 3600} hours")
        report.strange += int(block.size - np.isfinite(block).sum())
        if report.strange:
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
    """Resample a stream of mono samples to 16 kHz, as scipy's polyphase filter does it to the whole.

    Each block is filtered with as much of its neighbours as the filter reaches, and begins where an output sample
    falls on an input sample; so the seams cannot be report or measured.
    """
    up, down = RATE // math.gcd(rate, RATE), rate // math.gcd(rate, RATE)
    if up == down:
        yield from blocks
        return
    import numpy as np
    from scipy.signal import resample_poly

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

    The decoder itself trusts the file's size where the header lies, and says nothing.
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
