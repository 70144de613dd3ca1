"""Decoding guards: options against repetitions and endless output on noisy recordings; each is part of the signature.

The second paper saw repetitions and blank outputs there (section 6). Nothing is ever removed: a bound cuts what would
otherwise be cut later, and a second answer takes the place of the first only when it carries fewer flags.
"""

import math

from harness.core.manifests import ManifestTable

VERSION = 1
"""Of the rules in `harness.inference.output_flags`, by which the repeat guard decides; raised whenever one changes."""


class LengthBound(ManifestTable, frozen=True):
    """How long a translation may become, by the length of its audio; `max_new_tokens` holds beside it.

    Attributes:
        base: tokens for any segment, however short.
        per_second: tokens for each second of audio.
    """

    base: int
    per_second: float

    def __post_init__(self) -> None:
        """Refuse a bound that lets nothing be said."""
        if self.base < 1 or not 0 <= self.per_second < math.inf:
            raise ValueError("length_bound.base must be at least 1, and per_second at least 0")

    def tokens(self, seconds: float) -> int:
        """Return the most tokens for a segment of so many seconds."""
        return self.base + math.ceil(self.per_second * seconds)


class RepeatGuard(ManifestTable, frozen=True):
    """What is done about a translation that is flagged `repeats`: it is asked for once more, at other settings.

    Attributes:
        no_repeat_ngram: in the second attempt, no stretch of so many tokens comes twice.
    """

    no_repeat_ngram: int

    def __post_init__(self) -> None:
        """Refuse a stretch of one token: then no word could be said twice."""
        if self.no_repeat_ngram < 2:
            raise ValueError("repeat_guard.no_repeat_ngram must be at least 2")


class DecodingGuards(ManifestTable, frozen=True):
    """Options against what goes wrong on noisy recordings; all off by default.

    Attributes:
        length_bound: a bound on each translation's length.
        repeat_guard: a second attempt where the first repeats itself.
        sets: names of the test sets, their own or the campaign's, that this is for; empty for all.
    """

    length_bound: LengthBound | None = None
    repeat_guard: RepeatGuard | None = None
    sets: tuple[str, ...] = ()

    @property
    def signature(self) -> dict[str, str]:
        """What of it is on, as signatures show it."""
        parts = {}
        if self.length_bound is not None:
            parts["bound"] = f"{self.length_bound.base}+{self.length_bound.per_second:g}/s"
        if self.repeat_guard is not None:
            parts["guard"] = f"no-repeat-{self.repeat_guard.no_repeat_ngram}|flags:{VERSION}"
        return parts
