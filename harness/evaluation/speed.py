"""Seconds per segment and peak memory of a system; observed, never part of a key."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.core.errors import UserError
from harness.core.store import Store
from harness.core.workdir import WorkDir
from harness.inference.decoding import Decoded, decode
from harness.inference.engine import Engine, EngineLoader
from harness.inference.examples import ExampleReader
from harness.inference.prompting import Example
from harness.inference.request import GenerationRequest

SEGMENTS = 4
"""Number of timed segments, the first of the test set; a few tokens of the last one are decoded before, as warm-up."""


class SpeedMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """How fast an artifact's model translates one segment after the other.

    Attributes:
        key: content key of the request.
        artifact: id of the artifact.
        device: torch's name of the device.
        threads: torch's threads on a CPU.
        seconds: per timed segment, at batch 1; reading audio excluded.
        tokens: generated tokens per timed segment.
        peak_memory: bytes; on a CPU the largest resident set of the process meanwhile, on CUDA the largest allocation;
            None where the operating system does not report it.
    """

    key: str
    artifact: str
    system: str
    device: str
    threads: int
    seconds: tuple[float, ...]
    tokens: tuple[int, ...]
    peak_memory: int | None

    @property
    def seconds_per_item(self) -> float:
        """Mean seconds per segment at batch 1."""
        return sum(self.seconds) / len(self.seconds)


SPEEDS = Store("speed", SpeedMeasurement, 2, "remove it and evaluate again")


def speed(request: GenerationRequest, workdir: WorkDir, engine: EngineLoader) -> SpeedMeasurement:
    """Time the first segments of a request at batch 1; a stored measurement is returned at once.

    Raises:
        UserError: the segmentation is empty, or a segment's audio cannot be read.
    """
    entry = SPEEDS.entry(workdir.measurements, [request.conditions, request.decoding.max_new_tokens, SEGMENTS])
    return entry.get(lambda: _measure(request, entry.key, engine()))


def _measure(request: GenerationRequest, key: str, engine: Engine) -> SpeedMeasurement:
    import torch

    segments = request.segmentation.segments
    if not segments:
        raise UserError(f"The segmentation of {request.test_set.name!r} holds no segment: segment it another way.")
    reader = ExampleReader(request, engine)
    examples = [reader.read(index) for index in range(min(SEGMENTS, len(segments)))]
    answers, peak = _observe(engine, examples, request.decoding.max_new_tokens)
    return SpeedMeasurement(
        key=key,
        artifact=request.artifact.id,
        system=request.system,
        device=request.device,
        threads=torch.get_num_threads(),
        seconds=tuple(answer.seconds for answer in answers),
        tokens=tuple(answer.tokens for answer in answers),
        peak_memory=peak,
    )


def _observe(engine: Engine, examples: Sequence[Example], limit: int) -> tuple[list[Decoded], int | None]:
    """Return the answer to each example, and the peak memory meanwhile, which is None where it is not reported."""
    engine.encoder_cache.clear()  # earlier translations do not count in this peak
    decode(engine, examples[-1:], min(4, limit))
    can_read = _reset_peak(engine.device)
    answers = [decode(engine, [example], limit)[0] for example in examples]
    return answers, _peak(engine.device) if can_read else None


def _reset_peak(device: str) -> bool:
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM back to the present resident set; see proc(5)
    except OSError:
        return False
    return True


def _peak(device: str) -> int | None:
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return 1024 * int(found.group(1)) if found else None
