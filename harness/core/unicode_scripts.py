"""Scripts of writing: what the letters of a text are, and what a language is written in."""

import unicodedata
from enum import StrEnum
from functools import cache

from harness.core.errors import UserError


class Script(StrEnum):
    """What the letters of a token are written in, or what it is where it has none."""

    LATIN = "Latin"
    CJK = "Chinese, Japanese, Korean"
    CYRILLIC = "Cyrillic"
    ARABIC = "Arabic"
    HEBREW = "Hebrew"
    GREEK = "Greek"
    THAI = "Thai"
    DEVANAGARI = "Devanagari"
    OTHER = "other scripts"
    SEVERAL = "several scripts"
    NONE = "punctuation and digits"
    BYTES = "parts of characters"
    SPECIAL = "special tokens"


_BY_NAME = {
    "LATIN": Script.LATIN,
    "CJK": Script.CJK,
    "IDEOGRAPHIC": Script.CJK,
    "HIRAGANA": Script.CJK,
    "KATAKANA": Script.CJK,
    "KATAKANA-HIRAGANA": Script.CJK,
    "HANGUL": Script.CJK,
    "BOPOMOFO": Script.CJK,
    "CYRILLIC": Script.CYRILLIC,
    "ARABIC": Script.ARABIC,
    "HEBREW": Script.HEBREW,
    "GREEK": Script.GREEK,
    "THAI": Script.THAI,
    "DEVANAGARI": Script.DEVANAGARI,
}
"""The word of a letter's Unicode name that says its script."""
_WIDTHS = {"HALFWIDTH", "FULLWIDTH"}
_OF_NO_SCRIPT = {"COMBINING", "MODIFIER", "FEMININE", "MASCULINE", "MICRO", "VARIATION", "ZERO"}
"""Letters and marks that go with any script."""
_LANGUAGES = {
    Script.LATIN: "ca cs cy da de en es et fi fr hr hu id it lt lv ms nl no pl pt ro sk sl sv tr vi",
    Script.CJK: "ja ko zh",
    Script.CYRILLIC: "bg mn ru sr uk",
    Script.ARABIC: "ar fa ur",
    Script.HEBREW: "he",
    Script.GREEK: "el",
    Script.THAI: "th",
    Script.DEVANAGARI: "hi mr ne",
}
_OF_LANGUAGE = {language: script for script, codes in _LANGUAGES.items() for language in codes.split()}
OF_SOME_LANGUAGES = frozenset(_LANGUAGES) | {Script.OTHER}
"""What is needed for some languages only; all else is needed for any text."""


def script_of_language(code: str) -> Script:
    """Return the script of a language by its ISO 639-1 code.

    Raises:
        UserError: it is not known here.
    """
    if code not in _OF_LANGUAGE:
        raise UserError(f"The script of language {code!r} is not known here: name ISO 639-1 codes such as de or zh.")
    return _OF_LANGUAGE[code]


def script_of_text(text: str) -> Script:
    """Return the script of a text's letters: `SEVERAL` where they differ, `NONE` where there are none."""
    found = {script for script in map(_script_of_character, text) if script is not Script.NONE}
    if not found:
        return Script.NONE
    return found.pop() if len(found) == 1 else Script.SEVERAL


@cache
def _script_of_character(character: str) -> Script:
    if unicodedata.category(character)[0] not in "LM":
        return Script.NONE
    words = [word for word in unicodedata.name(character, "").split() if word not in _WIDTHS]
    if not words or words[0] in _OF_NO_SCRIPT:
        return Script.NONE
    return _BY_NAME.get(words[0], Script.OTHER)
