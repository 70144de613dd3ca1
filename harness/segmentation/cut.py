"""From frame probabilities to segments, by the algorithm that a task names, with findings about what was lost."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from harness.audio.recording import Recording
from harness.config.segmentation import Algorithm, Segmenting
from harness.core.files import key_of
from harness.core.findings import Finding, Severity
from harness.segmentation.frame_store import FrameClassifier, all_frames
from harness.segmentation.frames import DECIMALS, Frames, Limits, Span
from harness.segmentation.pdac import pdac, pdac_not_strict, pdac_whole
from harness.segmentation.pstrm import pstrm, pstrm_aligned, pstrm_cuts
from harness.segmentation.segmenter import Cut, SegmentationRequest, SegmentationResult
from harness.testsets.segments import Segment

_ALGORITHMS: dict[Algorithm, Callable[[Frames, Limits], tuple[Span, ...]]] = {
    Algorithm.PDAC: pdac,
    Algorithm.PDAC_NOT_STRICT: pdac_not_strict,
    Algorithm.PDAC_WHOLE: pdac_whole,
    Algorithm.PSTRM: pstrm,
    Algorithm.PSTRM_ALIGNED: pstrm_aligned,
}


def segment_frames(request: SegmentationRequest, classifier: FrameClassifier) -> SegmentationResult:
    """Segment a test set by the frame probabilities of a classifier; a stored result is read.

    Raises:
        UserError: a recording does not read, a model is missing, or a stored file is damaged.
    """
    settings, identity = request.settings, classifier.identity
    limits = f"max:{settings.max_seconds:g}|min:{settings.min_seconds:g}|threshold:{settings.threshold:g}"
    method = f"{identity[0]}|{settings.algorithm}|{limits}|window:{settings.window:g}|{key_of(identity)[:16]}"
    frames = all_frames(request.test_set, classifier, request.workdir)
    return request.stored(method, lambda: ((recording, cut(recording, found, settings)) for recording, found in frames))


def cut(recording: Recording, frames: Frames, settings: Segmenting) -> Cut:
    """Segment one recording.

    Empty spans, which the published algorithms return for a recording without speech, are left out; a span that is
    longer than the model's window is divided further; a segment ends at the end of the recording at the latest.
    """
    limits = Limits(settings.max_seconds, settings.min_seconds, settings.threshold)
    spans = [span for span in _ALGORITHMS[settings.algorithm](frames, limits) if span.stop > span.start]
    bounded = [part for span in spans for part in _within_window(frames, span, settings)]
    segments = tuple(_segment(recording, frames, span) for span in bounded)
    notes = {
        "no-speech": _silent(frames, spans, limits),
        "over-max": _too_long(frames, spans, settings),
        "speech-dropped": _dropped(frames, spans, limits),
        "shifted": _shifted(frames, limits) if settings.algorithm is Algorithm.PSTRM else "",
    }
    found = [Finding(recording.path.name, rule, note, Severity.WARNING) for rule, note in notes.items() if note]
    return Cut(segments, tuple(found))


def _within_window(frames: Frames, span: Span, settings: Segmenting) -> tuple[Span, ...]:
    if frames.duration(span) <= settings.window:
        return (span,)
    limits = Limits(settings.window, settings.min_seconds, settings.threshold)
    parts = pdac_whole(Frames(frames.probabilities[span.start : span.stop], frames.rate), limits)
    return tuple(Span(span.start + part.start, span.start + part.stop) for part in parts)


def _segment(recording: Recording, frames: Frames, span: Span) -> Segment:
    offset, duration = frames.seconds(span.start), frames.duration(span)
    room = math.floor((recording.seconds - offset) * 10**DECIMALS) / 10**DECIMALS
    return Segment(recording.path.name, offset, min(duration, room))


def _silent(frames: Frames, spans: Sequence[Span], limits: Limits) -> str:
    if spans or (frames.probabilities >= limits.threshold).any():
        return ""
    return f"No frame reaches the threshold {limits.threshold:g}, so the recording has no segment: check it."


def _too_long(frames: Frames, spans: Sequence[Span], settings: Segmenting) -> str:
    lengths = [frames.duration(span) for span in spans]
    over = [length for length in lengths if length > settings.max_seconds]
    beyond = sum(length > settings.window for length in lengths)
    if not over:
        return ""
    return (
        f"{len(over)} segments are longer than {settings.max_seconds:g} s, the longest {max(over):.2f} s; {beyond} of "
        f"them were longer than the model's window of {settings.window:g} s and have been divided."
    )


def _dropped(frames: Frames, spans: Sequence[Span], limits: Limits) -> str:
    """Report how much of the speech that the segmenter found is in no segment; the frame of a split does not count."""
    outside = frames.probabilities >= limits.threshold
    for span in spans:
        outside[span.start : span.stop] = False
    at_splits = {before.stop for before, after in pairwise(spans) if after.start == before.stop + 1}
    outside[[frame for frame in at_splits if frame < len(outside)]] = False
    lost = int(outside.sum())
    if not lost:
        return ""
    return (
        f"{frames.seconds(lost):.2f} s of what the segmenter classifies as speech are in no segment: the algorithms "
        "pdac-whole and pstrm-aligned drop none."
    )


def _shifted(frames: Frames, limits: Limits) -> str:
    _, shift = pstrm_cuts(frames, limits)
    late = f"pSTRM as published places later segments too early, the last one by {frames.seconds(shift):.2f} s"
    return f"{late}: use the algorithm pstrm-aligned." if shift else ""
