"""SpeedMeasurement: what a user waits for one segment, and the memory that it takes; observed, never part of a key."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.core.errors import UserError
from harness.core.store import Store
from harness.core.workdir import WorkDir
from harness.inference.decoding import decode
from harness.inference.engine import Engine, EngineLoader
from harness.inference.examples import ExampleReader
from harness.inference.prompting import Example
from harness.inference.request import GenerationRequest

SEGMENTS = 4
"""Segments that are timed, the first of the test set; the beginning of the last one's answer warms up, untimed."""
_WARM_UP = 4
"""Tokens."""
_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class SpeedMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """How fast an artifact's model translates one segment after the other.

    Attributes:
        key: content key of the request.
        artifact: id of the artifact.
        system: name of the system, for people.
        device: torch's name of the device.
        threads: torch's threads on a CPU.
        seconds: per timed segment, at batch 1; reading audio excluded.
        tokens: generated tokens per timed segment.
        peak_memory: bytes; on a CPU the largest resident set of the process meanwhile, on CUDA the largest allocation;
            None where the system does not tell.
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
        UserError: the segmentation is empty, or a segment's audio does not read.
    """
    inputs = [request.conditions, request.decoding.max_new_tokens, SEGMENTS]
    entry = SPEEDS.entry(workdir.measurements, inputs)
    return entry.get(lambda: _measure(request, entry.key, engine()))


def _measure(request: GenerationRequest, key: str, engine: Engine) -> SpeedMeasurement:
    import torch

    segments = request.segmentation.segments
    if not segments:
        raise UserError(f"The segmentation of {request.test_set.name!r} holds no segment: segment it another way.")
    reader = ExampleReader(request, engine)
    examples = [reader.read(index) for index in range(min(SEGMENTS, len(segments)))]
    seconds, tokens, peak = _observe(engine, examples, request.decoding.max_new_tokens)
    return SpeedMeasurement(
        key=key,
        artifact=request.artifact.id,
        system=request.system,
        device=request.device,
        threads=torch.get_num_threads(),
        seconds=seconds,
        tokens=tokens,
        peak_memory=peak,
    )


def _observe(
    engine: Engine, examples: Sequence[Example], max_new_tokens: int
) -> tuple[tuple[float, ...], tuple[int, ...], int | None]:
    """Return seconds and tokens per example, and the peak memory meanwhile."""
    engine.encoder_cache.clear()  # what was translated before is no part of this peak
    decode(engine, examples[-1:], min(_WARM_UP, max_new_tokens))
    meter = _PeakMemoryMeter(engine.device)
    answers = [decode(engine, [example], max_new_tokens)[0] for example in examples]
    peak = meter.peak()
    return tuple(answer.seconds for answer in answers), tuple(answer.tokens for answer in answers), peak


class _PeakMemoryMeter:
    """Peak memory from its making on."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._reset = self._begin()

    def _begin(self) -> bool:
        if self._device.startswith("cuda"):
            import torch

            torch.cuda.reset_peak_memory_stats(self._device)
            return True
        try:
            _CLEAR.write_text("5")  # sets VmHWM back to the present resident set; see proc(5)
        except OSError:
            return False
        return True

    def peak(self) -> int | None:
        """Return bytes, or None where the system does not tell."""
        if not self._reset:
            return None
        if self._device.startswith("cuda"):
            import torch

            return int(torch.cuda.max_memory_allocated(self._device))
        found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
        return 1024 * int(found.group(1)) if found else None
