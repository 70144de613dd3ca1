"""Cutting: from a recording's frame probabilities to its segments, and what there is to say about them."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

from harness.audio.recording import Recording
from harness.config.segmentation import Algorithm, Segmenting
from harness.core.findings import Finding, Severity
from harness.segmentation.frames import DECIMALS, Frames, Limits, Span
from harness.segmentation.pdac import pdac, pdac_not_strict, pdac_whole
from harness.segmentation.pstrm import pstrm, pstrm_aligned, pstrm_cuts
from harness.testsets.segments import Segment

_ALGORITHMS: dict[Algorithm, Callable[[Frames, Limits], tuple[Span, ...]]] = {
    Algorithm.PDAC: pdac,
    Algorithm.PDAC_NOT_STRICT: pdac_not_strict,
    Algorithm.PDAC_WHOLE: pdac_whole,
    Algorithm.PSTRM: pstrm,
    Algorithm.PSTRM_ALIGNED: pstrm_aligned,
}


class Cut(msgspec.Struct, frozen=True):
    """One recording's segments, in order of time, and findings about them."""

    segments: tuple[Segment, ...]
    findings: tuple[Finding, ...]


def cut(recording: Recording, frames: Frames, settings: Segmenting) -> Cut:
    """Cut a recording.

    An empty span (the published algorithms' outcome for a recording without speech) becomes no segment, since no model
    can hear one; a span beyond the model's window is divided further; a last frame that leaves the recording is cut.
    """
    wav, limits = recording.path.name, Limits(settings.max_seconds, settings.min_seconds, settings.threshold)
    spans = [span for span in _ALGORITHMS[settings.algorithm](frames, limits) if span.stop > span.start]
    bounded = [part for span in spans for part in _within_window(frames, span, settings)]
    segments = tuple(_segment(recording, frames, span) for span in bounded)
    notes = (
        *_silent(wav, frames, spans, limits),
        *_too_long(wav, frames, spans, settings),
        *_dropped(wav, frames, spans, limits),
        *(_shifted(wav, frames, limits) if settings.algorithm is Algorithm.PSTRM else ()),
    )
    return Cut(segments, notes)


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


def _warning(wav: str, rule: str, sentence: str) -> Finding:
    return Finding(wav, rule, sentence, Severity.WARNING)


def _silent(wav: str, frames: Frames, spans: Sequence[Span], limits: Limits) -> tuple[Finding, ...]:
    if spans or (frames.probabilities >= limits.threshold).any():
        return ()
    sentence = f"No frame reaches the threshold {limits.threshold:g}: the recording has no segment; listen to it."
    return (_warning(wav, "no-speech", sentence),)


def _too_long(wav: str, frames: Frames, spans: Sequence[Span], settings: Segmenting) -> tuple[Finding, ...]:
    lengths = [frames.duration(span) for span in spans]
    over = [length for length in lengths if length > settings.max_seconds]
    beyond = sum(length > settings.window for length in lengths)
    if not over:
        return ()
    sentence = (
        f"{len(over)} segments are longer than {settings.max_seconds:g} s, the longest {max(over):.2f} s; {beyond} of "
        f"them were longer than the model's window of {settings.window:g} s and have been divided."
    )
    return (_warning(wav, "over-max", sentence),)


def _dropped(wav: str, frames: Frames, spans: Sequence[Span], limits: Limits) -> tuple[Finding, ...]:
    """Say how much of what the segmenter itself holds for speech is in no segment; one frame per split is usual."""
    outside = frames.probabilities >= limits.threshold
    for span in spans:
        outside[span.start : span.stop] = False
    at_splits = {before.stop for before, after in pairwise(spans) if after.start == before.stop + 1}
    outside[[frame for frame in at_splits if frame < len(outside)]] = False
    lost = int(outside.sum())
    if not lost:
        return ()
    sentence = (
        f"{frames.seconds(lost):.2f} s that the segmenter holds for speech are in no segment: the algorithms "
        "pdac-whole and pstrm-aligned drop none."
    )
    return (_warning(wav, "speech-dropped", sentence),)


def _shifted(wav: str, frames: Frames, limits: Limits) -> tuple[Finding, ...]:
    _, shift = pstrm_cuts(frames, limits)
    if not shift:
        return ()
    sentence = (
        f"pSTRM as published places later segments too early, the last by {frames.seconds(shift):.2f} s: the algorithm "
        "pstrm-aligned does not."
    )
    return (_warning(wav, "shifted", sentence),)
