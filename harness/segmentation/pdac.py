"""pDAC, probabilistic divide and conquer: spans are split at their least likely frame until all are short enough.

Source: Tsiamas et al., Interspeech 2022, section 3.3, and the main branch of github.com/mt-upc/SHAS. For the same
probabilities `pdac` and `pdac_not_strict` give the published code's spans, its faults included: a recording without
speech gives one empty span, and the strict rule drops speech where it finds no allowed split. `pdac_whole` drops none.

Of equal probabilities the leftmost is used; in the published code their order depends on numpy's unstable sort, which
differs between processors. A stack replaces the published recursion, which exceeds Python's limit on long recordings.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from harness.segmentation.frames import DECIMALS, Frames, Limits, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def pdac(frames: Frames, limits: Limits) -> tuple[Span, ...]:
    """Divide strictly: every segment is shorter than the limit; where no split is allowed, short halves are dropped.

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

    Not published. Every frame with at least the threshold is in exactly one span, and no span is empty.
    """
    return tuple(span for span in _divide(_SpeechIndex(frames, limits), _whole) if span.stop > span.start)


class _SpeechIndex:
    """The frames of a recording with an index, so that a span is trimmed in constant time."""

    def __init__(self, frames: Frames, limits: Limits) -> None:
        self.frames, self.limits, self.values = frames, limits, frames.probabilities

    @cached_property
    def _speech_from(self) -> "NDArray[np.int64]":
        """For each frame the first speech frame at or after it; the number of frames where there is none."""
        import numpy as np

        count = len(self.values)
        own = np.where(self.values >= self.limits.threshold, np.arange(count), count)
        return np.append(np.minimum.accumulate(own[::-1])[::-1], count)

    @cached_property
    def _speech_until(self) -> "NDArray[np.int64]":
        """For each position the frame after the last speech frame before it; 0 where there is none."""
        import numpy as np

        own = np.where(self.values >= self.limits.threshold, np.arange(1, len(self.values) + 1), 0)
        return np.concatenate([[0], np.maximum.accumulate(own)]).astype(np.int64)

    def trim(self, start: int, stop: int) -> Span:
        """Return the span from its first to its last speech frame; without speech, an empty span at its start."""
        first = int(self._speech_from[start])
        return Span(first, int(self._speech_until[stop])) if first < stop else Span(start, start)

    def halves(self, span: Span, split: int) -> tuple[Span, Span]:
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
"""Splits a span that is too long into spans that are checked again; returns None where it is kept as it is."""


def _divide(index: _SpeechIndex, rule: _Rule) -> tuple[Span, ...]:
    done, waiting = [], [index.trim(0, len(index.values))]
    while waiting:
        span = waiting.pop()
        parts = rule(index, span) if index.frames.duration(span) >= index.limits.max_seconds else None
        if parts is None:
            done.append(span)
        else:
            waiting.extend(reversed(parts))
    return tuple(done)


def _strict(index: _SpeechIndex, span: Span) -> tuple[Span, ...]:
    import numpy as np

    split = index.best_split(span)
    if split is not None:
        return index.halves(span, split)
    # The published search tries the frames by probability and ends at the most likely one, whose halves it keeps.
    last = span.stop - 1 - int(np.argmax(index.values[span.start : span.stop][::-1]))
    return tuple(half for half in index.halves(span, last) if index.long_enough(half))


def _not_strict(index: _SpeechIndex, span: Span) -> tuple[Span, ...] | None:
    split = index.best_split(span)
    return None if split is None or index.values[split] > index.limits.threshold else index.halves(span, split)


def _whole(index: _SpeechIndex, span: Span) -> tuple[Span, ...] | None:
    import numpy as np

    if span.stop - span.start < 2:
        return None
    split = index.best_split(span)
    if split is None:
        margin = max(1, (span.stop - span.start) // 4)
        split = span.start + margin + int(np.argmin(index.values[span.start + margin : span.stop - margin + 1]))
    return index.trim(span.start, split), index.trim(split, span.stop)
