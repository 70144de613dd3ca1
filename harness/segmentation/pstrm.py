"""pSTRM, probabilistic streaming: a recording is cut from left to right, each part at its least likely frame.

Source: the experimental branch of github.com/mt-upc/SHAS. For the same probabilities `pstrm` gives the published code's
spans, its faults included: where it joins the rest of a part with the rest of the recording, one frame between them is
lost, and each time all later spans move one frame too early. `pstrm_aligned` keeps every frame in its place.
"""

from harness.segmentation.frames import Frames, Limits, Probabilities, Span

NOISE_SECONDS = 0.2
"""Segments of pSTRM that are shorter than this are dropped as noise by the published script."""


def pstrm(frames: Frames, limits: Limits) -> tuple[Span, ...]:
    """Cut as the published script does: spans shorter than `NOISE_SECONDS` are dropped."""
    return tuple(span for span in pstrm_cuts(frames, limits)[0] if frames.duration(span) >= NOISE_SECONDS)


def pstrm_aligned(frames: Frames, limits: Limits) -> tuple[Span, ...]:
    """Cut in the same way, but keep every frame in its place, the frame at the limit too.

    Not published. Every frame above the threshold is in exactly one span, and no span is empty.
    """
    values, threshold = frames.probabilities, limits.threshold
    most, least = int(limits.max_seconds * frames.rate), int(limits.min_seconds * frames.rate)
    done: list[Span] = []
    rest = _trimmed(values, Span(0, len(values)), threshold)
    while rest.stop > rest.start:
        head = Span(rest.start, min(rest.start + max(most, 1), rest.stop))
        cut = _weakest(values[head.start : head.stop], least, threshold)
        end = head.stop if cut is None else head.start + cut
        done.append(head if cut is None else _trimmed(values, Span(head.start, end), threshold))
        rest = _trimmed(values, Span(end, rest.stop), threshold)
    return tuple(span for span in done if span.stop > span.start)


def pstrm_cuts(frames: Frames, limits: Limits) -> tuple[tuple[Span, ...], int]:
    """Cut as the published function does; return spans, some empty, and by how many frames the last is too early."""
    values, threshold = frames.probabilities.copy(), limits.threshold
    most, least = int(limits.max_seconds * frames.rate), int(limits.min_seconds * frames.rate)
    done: list[Span] = []
    # Spans are positions in `values`; minus `shift` they are the positions that the published code returns.
    rest, shift = _trimmed(values, Span(0, len(values)), threshold), 0
    while frames.duration(rest) > 0:
        head = Span(rest.start, min(rest.start + most, rest.stop))
        behind = Span(min(head.stop + 1, rest.stop), rest.stop)
        if frames.duration(head) <= limits.min_seconds:
            done.append(_moved(head, shift))
            rest = behind
            continue
        cut = _weakest(values[head.start : head.stop], least, threshold)
        if cut is None:
            done.append(_moved(head, shift))
            rest = behind
        else:
            done.append(_moved(_trimmed(values, Span(head.start, head.start + cut), threshold), shift))
            rest = Span(head.start + cut + 1, head.stop)
            if behind.stop > behind.start:
                rest, shift = _joined(values, rest, behind), shift + 1
        rest = _trimmed(values, rest, threshold)
    return tuple(done), shift


def _weakest(head: Probabilities, least: int, threshold: float) -> int | None:
    """Return the least likely frame from `least` on, or None where it is speech or there is none."""
    import numpy as np

    if len(head) <= least:
        return None
    cut = least + int(np.argmin(head[least:]))
    return None if head[cut] > threshold else cut


def _joined(values: Probabilities, left: Span, right: Span) -> Span:
    """Move the frames of `left` by one, so that they overwrite the frame before `right`; return the joined span."""
    values[left.start + 1 : left.stop + 1] = values[left.start : left.stop].copy()
    return Span(left.start + 1, right.stop)


def _moved(span: Span, shift: int) -> Span:
    return Span(span.start - shift, span.stop - shift)


def _trimmed(values: Probabilities, span: Span, threshold: float) -> Span:
    """Return the span from its first to its last frame above the threshold, or an empty span at its start."""
    import numpy as np

    above = np.flatnonzero(values[span.start : span.stop] > threshold)
    if not len(above):
        return Span(span.start, span.start)
    return Span(span.start + int(above[0]), span.start + int(above[-1]) + 1)
