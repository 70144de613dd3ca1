"""pDAC: probabilistic divide and conquer, which splits at the least likely frame until every segment is short enough.

Source: Tsiamas et al., Interspeech 2022, section 3.3, and the main branch of github.com/mt-upc/SHAS. For the same
probabilities `pdac` and `pdac_not_strict` give the published code's spans, its faults included: a recording without
speech gives one empty span, and the strict rule drops speech where it finds no allowed split. `pdac_whole` drops none.

Equal probabilities are taken from the left. The published code leaves their order to numpy's unstable sort, which
differs between processors. Where it recurses, this walks a stack: a recording of hours would exceed Python's depth.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from harness.segmentation.frames import DECIMALS, Frames, Limits, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def pdac(frames: Frames, limits: Limits) -> tuple[Span, ...]:
    """Divide strictly: every segment is shorter than the limit, and what cannot be split so loses its short halves.

    Source: the published default.
    """
    return _divide(_SpeechIndex(frames, limits), _strict)


def pdac_not_strict(frames: Frames, limits: Limits) -> tuple[Span, ...]:
    """Divide only at frames up to the threshold: a segment without such a frame stays whole, however long it is.

    Source: the published option `--not_strict`.
    """
    return _divide(_SpeechIndex(frames, limits), _not_strict)


def pdac_whole(frames: Frames, limits: Limits) -> tuple[Span, ...]:
    """Divide strictly and keep all speech: a split's frame too, and short halves where no split is allowed.

    Ours. Every frame from the threshold up lies in exactly one span, and no span is empty.
    """
    return tuple(span for span in _divide(_SpeechIndex(frames, limits), _whole) if span.stop > span.start)


class _SpeechIndex:
    """A recording's frames, prepared so that trimming a span takes no search."""

    def __init__(self, frames: Frames, limits: Limits) -> None:
        self.frames = frames
        self.limits = limits
        self.values = frames.probabilities

    @cached_property
    def _speech_from(self) -> "NDArray[np.int64]":
        """For each frame the first one from it on that is speech; the number of frames where there is none."""
        import numpy as np

        count = len(self.values)
        own = np.where(self.values >= self.limits.threshold, np.arange(count), count)
        return np.append(np.minimum.accumulate(own[::-1])[::-1], count)

    @cached_property
    def _speech_until(self) -> "NDArray[np.int64]":
        """For each position the frame after the last speech before it; 0 where there is none."""
        import numpy as np

        own = np.where(self.values >= self.limits.threshold, np.arange(1, len(self.values) + 1), 0)
        return np.concatenate([[0], np.maximum.accumulate(own)]).astype(np.int64)

    def trim(self, start: int, stop: int) -> Span:
        """Return the span from its first to its last frame of speech; without speech, nothing at its start."""
        first = int(self._speech_from[start])
        return Span(first, int(self._speech_until[stop])) if first < stop else Span(start, start)

    def halves(self, span: Span, split: int) -> tuple[Span, Span]:
        """Return what is left of a span on both sides of a frame, each side trimmed."""
        return self.trim(span.start, split), self.trim(split + 1, span.stop)

    def long_enough(self, span: Span) -> bool:
        return self.frames.duration(span) > self.limits.min_seconds

    def best_split(self, span: Span) -> int | None:
        """Return the least likely frame at which both halves are long enough, or None."""
        import numpy as np

        values = self.values[span.start : span.stop]
        least = span.start + int(np.argmin(values))
        if all(map(self.long_enough, self.halves(span, least))):
            return least
        allowed = self._allowed(span)
        return span.start + int(np.argmin(np.where(allowed, values, np.inf))) if allowed.any() else None

    def _allowed(self, span: Span) -> "NDArray[np.bool_]":
        """For each frame of a trimmed span, whether both halves would be long enough."""
        import numpy as np

        split = np.arange(span.start, span.stop)
        left = np.maximum(self._speech_until[split] - span.start, 0)
        right = np.maximum(span.stop - self._speech_from[split + 1], 0)
        shorter = np.round(np.minimum(left, right) / self.frames.rate, DECIMALS)
        return np.asarray(shorter > self.limits.min_seconds)


_Rule = Callable[[_SpeechIndex, Span], tuple[Span, ...] | None]
"""Splits a span that is too long into what is to be looked at again; None when it stays as it is."""


def _divide(ground: _SpeechIndex, rule: _Rule) -> tuple[Span, ...]:
    done: list[Span] = []
    waiting = [ground.trim(0, len(ground.values))]
    while waiting:
        span = waiting.pop()
        too_long = ground.frames.duration(span) >= ground.limits.max_seconds
        parts = rule(ground, span) if too_long else None
        if parts is None:
            done.append(span)
        else:
            waiting.extend(reversed(parts))
    return tuple(done)


def _strict(ground: _SpeechIndex, span: Span) -> tuple[Span, ...]:
    import numpy as np

    split = ground.best_split(span)
    if split is not None:
        return ground.halves(span, split)
    # The published search ends at the most likely frame, and goes on with the halves that this one leaves.
    last = span.stop - 1 - int(np.argmax(ground.values[span.start : span.stop][::-1]))
    return tuple(half for half in ground.halves(span, last) if ground.long_enough(half))


def _not_strict(ground: _SpeechIndex, span: Span) -> tuple[Span, ...] | None:
    split = ground.best_split(span)
    if split is None or ground.values[split] > ground.limits.threshold:
        return None
    return ground.halves(span, split)


def _whole(ground: _SpeechIndex, span: Span) -> tuple[Span, ...] | None:
    import numpy as np

    if span.stop - span.start < 2:
        return None
    split = ground.best_split(span)
    if split is None:
        margin = max(1, (span.stop - span.start) // 4)
        split = span.start + margin + int(np.argmin(ground.values[span.start + margin : span.stop - margin + 1]))
    return ground.trim(span.start, split), ground.trim(split, span.stop)
