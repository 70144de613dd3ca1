"""Decoding guards: options against repetitions and endless output on noisy recordings; each is part of the signature.

The second paper observed repetitions and blank outputs there (section 6). No output is removed: a length bound ends an
output earlier, and a second attempt replaces the first only when it has fewer flags.
"""

import math

from harness.core.manifests import ManifestTable

VERSION = 1  # of the rules in `harness.inference.output_flags`, by which the repeat guard decides


class LengthBound(ManifestTable, frozen=True):
    """Limits a translation to `base` tokens and `per_second` more per second of audio, besides `max_new_tokens`."""

    base: int
    per_second: float

    def __post_init__(self) -> None:
        """Check that the bound allows at least one token."""
        if self.base < 1 or not 0 <= self.per_second < math.inf:
            raise ValueError("length_bound.base must be at least 1, and per_second at least 0")

    def tokens(self, seconds: float) -> int:
        """Return the largest number of tokens for a segment of this length in seconds."""
        return self.base + math.ceil(self.per_second * seconds)


class RepeatGuard(ManifestTable, frozen=True):
    """Decodes a segment a second time when its translation has the flag `repeats`.

    In the second attempt, n-grams of `no_repeat_ngram` tokens occur only once.
    """

    no_repeat_ngram: int

    def __post_init__(self) -> None:
        """Check the size of the n-grams: with 1, no token could occur twice."""
        if self.no_repeat_ngram < 2:
            raise ValueError("repeat_guard.no_repeat_ngram must be at least 2")


class DecodingGuards(ManifestTable, frozen=True):
    """Options against faulty output on noisy recordings; all are off by default.

    They apply to the test sets that `sets` names, own or the campaign's; empty for all.
    """

    length_bound: LengthBound | None = None
    repeat_guard: RepeatGuard | None = None
    sets: tuple[str, ...] = ()

    @property
    def signature(self) -> dict[str, str]:
        """The options that are on, as signatures show them."""
        parts = {}
        if self.length_bound is not None:
            parts["bound"] = f"{self.length_bound.base}+{self.length_bound.per_second:g}/s"
        if self.repeat_guard is not None:
            parts["guard"] = f"no-repeat-{self.repeat_guard.no_repeat_ngram}|flags:{VERSION}"
        return parts
