"""Pauses: segments end where pydub's silence detection finds a pause.

A stretch of sound that is too long is divided at shorter pauses, and where it has none into equal windows; a short one
is joined with a neighbour. Recordings are read in blocks, so memory is bounded for recordings of any length.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

from harness.audio.recording import RATE, Recording, open_recording, read_stretch
from harness.config.segmentation import Segmenting
from harness.core.findings import Finding, Severity
from harness.core.progress import progress
from harness.segmentation.segmenter import SEGMENTERS, Basis, Cut, SegmentationRequest, SegmentationResult, Segmenter
from harness.testsets.segments import Segment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STEP = 10
"""Milliseconds between the windows that are tested for silence."""
_BLOCK = 60_000
"""Milliseconds that are read at a time, a multiple of `_STEP`."""
_SHORTEST_PAUSE = 50
"""Milliseconds: the shortest pause at which a long stretch is divided."""
_MARGIN = 100
"""Milliseconds of a pause that each neighbour keeps, as in pydub's `split_on_silence`: speech fades in and out."""
_SILENT = -60.0
"""Loudness in dB of full scale below which a whole recording is silent."""


class TimeSpan(NamedTuple):
    """Milliseconds [start, stop) of a recording."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Length in milliseconds."""
        return self.stop - self.start


@dataclass(frozen=True)
class PauseDetector:
    """Finds the pauses of one recording; below `silence_db`, relative to its loudness, samples are silent."""

    recording: Recording
    silence_db: float

    @property
    def whole(self) -> TimeSpan:
        """The whole recording, in whole milliseconds."""
        return TimeSpan(0, int(self.recording.seconds * 1000))

    @cached_property
    def loudness(self) -> float:
        """Root mean square of the recording in dB of full scale; minus infinity for digital silence."""
        import numpy as np

        # Sums of integers are exact: the threshold does not depend on the processor or on the blocks.
        energy = sum(int(np.square(block, dtype=np.int64).sum()) for _, block in self._blocks(self.whole, 0))
        return 10 * math.log10(energy / self.recording.samples / 32768**2) if energy else -math.inf

    def pauses(self, within: TimeSpan, shortest: int) -> list[TimeSpan]:
        """Return the pauses in an interval that last `shortest` milliseconds or longer, in order of time.

        The result is that of pydub on the whole interval, since blocks overlap by the length of a pause.
        """
        # pydub warns at its import where ffmpeg is missing, which silence detection does not use, and Python warns
        # about invalid escape sequences in pydub's source and about audioop, which Python 3.13 no longer has.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pydub import AudioSegment
            from pydub.silence import detect_silence

        found: list[TimeSpan] = []
        for offset, block in self._blocks(within, shortest):
            audio = AudioSegment(block.tobytes(), sample_width=2, frame_rate=RATE, channels=1)
            for start, stop in detect_silence(audio, shortest, self.loudness + self.silence_db, _STEP):
                joined = bool(found) and offset + start <= found[-1].stop
                found.append(TimeSpan(found.pop().start if joined else offset + start, offset + stop))
        return found

    def _blocks(self, within: TimeSpan, overlap: int) -> Iterator[tuple[int, "NDArray[np.int16]"]]:
        """Yield the start of each block in milliseconds, and its samples at 16 kHz."""
        import numpy as np

        for start in range(within.start, within.stop, _BLOCK):
            stop = min(start + _BLOCK + overlap, within.stop)
            samples = read_stretch(self.recording, start / 1000, (stop - start) / 1000)
            yield start, np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)


def split_at_pauses(recording: Recording, settings: Segmenting) -> Cut:
    """Segment one recording.

    Every segment is at most `max_seconds` long. One that is shorter than `pause.short_seconds` or `min_seconds` is
    joined with the neighbour across the shorter pause, unless both together are too long.

    Raises:
        UserError: the recording does not read.
    """
    detector, name = PauseDetector(recording, settings.pause.silence_db), recording.path.name
    if detector.loudness < _SILENT:
        sentence = "is silent, so it has no segment: check the recording."
        return Cut((), (Finding(name, "no-speech", sentence, Severity.WARNING),))
    longest, shortest = max(1, int(1000 * settings.max_seconds)), int(1000 * settings.pause.pause_seconds)
    parts = _between(detector.whole, detector.pauses(detector.whole, shortest))
    divided = [piece for part in parts for piece in _divide(detector, part, longest, shortest)]
    short = int(1000 * max(settings.pause.short_seconds, settings.min_seconds))
    intervals = _widen(_join(divided, longest, short), longest, detector.whole)
    segments = tuple(Segment(name, one.start / 1000, one.length / 1000) for one in intervals)
    abutting = sum(before.stop == after.start for before, after in pairwise(divided))
    sentence = f"has no pause at {abutting} of the places where its segments had to be divided."
    return Cut(segments, (Finding(name, "no-pause", sentence, Severity.WARNING),) if abutting else ())


def _between(within: TimeSpan, pauses: Sequence[TimeSpan]) -> list[TimeSpan]:
    """Return the parts of an interval that are in no pause."""
    edges = [within.start, *chain.from_iterable(pauses), within.stop]
    return [TimeSpan(*pair) for pair in zip(edges[::2], edges[1::2], strict=True) if pair[0] < pair[1]]


def _divide(detector: PauseDetector, part: TimeSpan, longest: int, pause: int) -> list[TimeSpan]:
    """Divide a part that is too long at pauses half as long as before, and finally into equal windows."""
    if part.length <= longest:
        return [part]
    if pause <= _SHORTEST_PAUSE:
        count = -(-part.length // longest)
        borders = [part.start + part.length * i // count for i in range(count + 1)]
        return [TimeSpan(*pair) for pair in pairwise(borders)]
    shorter = max(pause // 2, _SHORTEST_PAUSE)
    pieces = _between(part, detector.pauses(part, shorter))
    return [one for piece in pieces for one in _divide(detector, piece, longest, shorter)]


def _join(parts: Sequence[TimeSpan], longest: int, short: int) -> list[TimeSpan]:
    """Join each part that is shorter than `short` with the neighbour across the shorter pause, if that fits."""
    joined: list[TimeSpan] = []
    waiting = list(reversed(parts))
    while waiting:
        part = waiting.pop()
        before = joined[-1].start if joined and part.stop - joined[-1].start <= longest else None
        after = waiting[-1].stop if waiting and waiting[-1].stop - part.start <= longest else None
        if part.length >= short or (before is None and after is None):
            joined.append(part)
        elif after is None or (before is not None and part.start - joined[-1].stop <= waiting[-1].start - part.stop):
            waiting.append(TimeSpan(joined.pop().start, part.stop))
        else:
            waiting[-1] = TimeSpan(part.start, waiting[-1].stop)
    return joined


def _widen(parts: Sequence[TimeSpan], longest: int, whole: TimeSpan) -> list[TimeSpan]:
    """Extend each part into the pauses around it: by `_MARGIN`, at most to their middle, and never beyond `longest`."""
    borders = [whole.start, *((before.stop + after.start) // 2 for before, after in pairwise(parts)), whole.stop]
    widened = []
    for part, (left, right) in zip(parts, pairwise(borders), strict=True):
        margin = min(_MARGIN, (longest - part.length) // 2)
        widened.append(TimeSpan(max(part.start - margin, left), min(part.stop + margin, right)))
    return widened


def _segment(request: SegmentationRequest) -> SegmentationResult:
    settings, pause = request.settings, request.settings.pause
    limits = f"max:{settings.max_seconds:g}|min:{settings.min_seconds:g}|short:{pause.short_seconds:g}"
    silence = f"pause:{pause.pause_seconds:g}|silence:{pause.silence_db:g} dB"
    return request.stored(f"pause|{silence}|{limits}|pydub:{version('pydub')}", lambda: _cuts(request))


def _cuts(request: SegmentationRequest) -> Iterator[tuple[Recording, Cut]]:
    test_set = request.test_set
    with progress(f"find pauses of {test_set.name}", len(test_set.file_order)) as advance:
        for wav in test_set.file_order:
            recording = open_recording(test_set.audio / wav)
            yield recording, split_at_pauses(recording, request.settings)
            advance(1)


SEGMENTERS.add("pause", Segmenter(Basis.AUDIO, _segment), __name__)
