"""Flags of suspicious translations, by rules on the text alone; flagged translations are reported, never removed.

The second paper observed repetitions and blank outputs on noisy recordings (section 6). The rules count words, or
characters in scripts without spaces; case and punctuation are ignored.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from harness.config.language_pair import target_language
from harness.core.errors import UserError
from harness.core.unicode_scripts import Script, script_of_language, script_of_text
from harness.inference.hypothesis import HypothesisSet, StopReason

_TIMES = 3
"""Consecutive occurrences of a word sequence that make it a repetition, ..."""
_WORDS, _CHARACTERS = 4, 8
"""... if together they have at least this many words, or characters in a script without spaces: a single word must
occur four times ("ja, ja, ja" does not count), a single Chinese character eight times."""
_SPACELESS = {Script.CJK, Script.THAI}


class Flag(StrEnum):
    """Reasons for which a translation is suspicious."""

    BLANK = "blank"
    REPEATS = "repeats"
    CUT = "cut"
    WRONG_SCRIPT = "wrong_script"


class Flagged(msgspec.Struct, frozen=True):
    """The flags of a set of translations.

    Attributes:
        counts: how many translations have each flag; every flag is listed, also with 0.
        rows: flags by position in the set, for translations that have any.
        retried: translations that the repeat guard decoded a second time.
    """

    segments: int
    counts: dict[Flag, int]
    rows: dict[int, tuple[Flag, ...]]
    retried: int = 0

    def __str__(self) -> str:
        named = ", ".join(f"{count} {flag}" for flag, count in self.counts.items() if count) or "none"
        again = f", {self.retried} decoded twice" if self.retried else ""
        return f"flags on {self.segments} translations: {named}{again}"


def flags_of(text: str, target: str, stop: StopReason | None = None) -> tuple[Flag, ...]:
    """Return the flags of one translation.

    Args:
        text: the translation.
        target: ISO 639-1 code of its language.
        stop: None where it is not known, as for an external system.

    Returns:
        the flags, in the order of `Flag`; `wrong_script` only for languages whose script `script_of_language` knows.
    """
    units = _units(text)
    rules = {
        Flag.BLANK: not units,
        Flag.REPEATS: _repeats(units),
        Flag.CUT: stop is StopReason.LENGTH,
        Flag.WRONG_SCRIPT: _is_foreign(units, target),
    }
    return tuple(flag for flag, holds in rules.items() if holds)


def flagged(made: HypothesisSet) -> Flagged:
    """Return the flags of a system's translations of a test set."""
    target = target_language(made.direction)
    found = [flags_of(hypothesis.text, target, hypothesis.stop) for hypothesis in made.hypotheses]
    return _summarise(found, retried=sum(hypothesis.attempts > 1 for hypothesis in made.hypotheses))


def flagged_texts(texts: Iterable[str], target: str) -> Flagged:
    """Return the flags of translations without decoding information; none is `cut`."""
    return _summarise([flags_of(text, target) for text in texts], retried=0)


def _summarise(found: Sequence[tuple[Flag, ...]], retried: int) -> Flagged:
    counts = Counter(flag for flags in found for flag in flags)
    rows = {index: flags for index, flags in enumerate(found) if flags}
    return Flagged(len(found), {flag: counts[flag] for flag in Flag}, rows, retried)


def _units(text: str) -> list[str]:
    """Return the words of a text in lower case; in a script without spaces every character is a unit."""
    spaced = ""
    for character in unicodedata.normalize("NFKC", text).casefold():
        is_letter = unicodedata.category(character)[0] in "LMN"
        alone = is_letter and script_of_text(character) in _SPACELESS
        spaced += f" {character} " if alone else character if is_letter else " "
    return spaced.split()


def _repeats(units: Sequence[str]) -> bool:
    """Whether a sequence of units of any length occurs several times in a row."""
    for period in range(1, len(units) // _TIMES + 1):
        run = 0
        for first, later in zip(units, units[period:], strict=False):
            run = run + 1 if first == later else 0
            least = _CHARACTERS if script_of_text(first) in _SPACELESS else _WORDS
            if run >= (_TIMES - 1) * period and run + period >= least:
                return True
    return False


def _is_foreign(units: Sequence[str], target: str) -> bool:
    """Whether fewer than half of the words are in the language's script; words without letters are not counted."""
    try:
        script = script_of_language(target)
    except UserError:
        return False
    found = Counter(map(script_of_text, units))
    return 2 * found[script] < found.total() - found[Script.NONE]
