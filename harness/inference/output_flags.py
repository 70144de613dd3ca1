"""Flags: what is suspicious about a translation, told from the text alone; said of every set, and never used to hide.

The second paper saw repetitions and blank outputs on noisy recordings (section 6). The rules look at words, and at
characters where a language writes no spaces; case and punctuation play no part.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from harness.config.language_pair import target_language
from harness.core.errors import UserError
from harness.core.unicode_scripts import Script, script_of_language, script_of_text
from harness.inference.hypothesis import HypothesisSet, Stop

_TIMES = 3
"""A stretch that stands so often in a row is a repetition, ..."""
_WORDS, _CHARACTERS = 4, 8
"""... if all of it together has at least so many words, or characters in a script without spaces: a single word must
come four times ("ja, ja, ja" does not count), a single Chinese character eight times."""
_SPACELESS = {Script.CJK, Script.THAI}


class Flag(StrEnum):
    """What is suspicious."""

    BLANK = "blank"
    REPEATS = "repeats"
    CUT = "cut"
    WRONG_SCRIPT = "wrong_script"


class Flagged(msgspec.Struct, frozen=True):
    """The flags of a set of translations.

    Attributes:
        segments: translations looked at.
        counts: how many carry each flag; every flag is named, also with 0.
        rows: flags by position in the set, for those that carry any.
        retried: translations that were asked for a second time by the guard against repetitions.
    """

    segments: int
    counts: dict[Flag, int]
    rows: dict[int, tuple[Flag, ...]]
    retried: int = 0

    def __str__(self) -> str:
        named = ", ".join(f"{count} {flag}" for flag, count in self.counts.items() if count) or "none"
        again = f", {self.retried} asked twice" if self.retried else ""
        return f"flags on {self.segments} translations: {named}{again}"


def flags_of(text: str, target: str, stop: Stop | None = None) -> tuple[Flag, ...]:
    """Return the flags of one translation.

    Args:
        text: the translation.
        target: ISO 639-1 code of its language.
        stop: why the decoder stopped; None where that is not known, as for someone else's system.

    Returns:
        the flags, in the order of `Flag`; `wrong_script` only for languages whose script is known here.
    """
    units = _units(text)
    rules = {
        Flag.BLANK: not units,
        Flag.REPEATS: _repeats(units),
        Flag.CUT: stop is Stop.LENGTH,
        Flag.WRONG_SCRIPT: _is_foreign(units, target),
    }
    return tuple(flag for flag, holds in rules.items() if holds)


def flagged(made: HypothesisSet) -> Flagged:
    """Return the flags of a system's translations of a test set."""
    target = target_language(made.direction)
    found = [flags_of(hypothesis.text, target, hypothesis.stop) for hypothesis in made.hypotheses]
    return _gathered(found, retried=sum(hypothesis.attempts > 1 for hypothesis in made.hypotheses))


def flagged_texts(texts: Iterable[str], target: str) -> Flagged:
    """Return the flags of translations of which nothing but the text is known; none is `cut`."""
    return _gathered([flags_of(text, target) for text in texts], retried=0)


def _gathered(found: Sequence[tuple[Flag, ...]], retried: int) -> Flagged:
    counts = Counter(flag for flags in found for flag in flags)
    rows = {index: flags for index, flags in enumerate(found) if flags}
    return Flagged(len(found), {flag: counts[flag] for flag in Flag}, rows, retried)


def _units(text: str) -> list[str]:
    """Return the words of a text, in small letters; a character of a script without spaces is a word of its own."""
    units, word = [], ""
    for character in unicodedata.normalize("NFKC", text).casefold():
        alone = _is_letter(character) and script_of_text(character) in _SPACELESS
        if _is_letter(character) and not alone:
            word += character
            continue
        units += [unit for unit in (word, character if alone else "") if unit]
        word = ""
    return [*units, word] if word else units


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _repeats(units: Sequence[str]) -> bool:
    """Whether a stretch of any length stands several times in a row."""
    for period in range(1, len(units) // _TIMES + 1):
        run = 0
        for first, later in zip(units, units[period:], strict=False):
            run = run + 1 if first == later else 0
            if run >= (_TIMES - 1) * period and run + period >= _least(first):
                return True
    return False


def _least(unit: str) -> int:
    """Return how many units a repetition must have, told from the script of one of them."""
    return _CHARACTERS if script_of_text(unit) in _SPACELESS else _WORDS


def _is_foreign(units: Sequence[str], target: str) -> bool:
    """Whether under half of the words are in the language's script; names keep their own, and digits have none."""
    try:
        script = script_of_language(target)
    except UserError:
        return False
    found = Counter(script_of_text(unit) for unit in units)
    lettered = found.total() - found[Script.NONE]
    return 2 * found[script] < lettered
