"""Unicode scripts: the script of a text's letters, and the script in which a language is written."""

from enum import StrEnum
from functools import cache

import regex

from harness.core.errors import UserError


class Script(StrEnum):
    """The script of a token's letters, or the kind of a token that has no letters."""

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


_LANGUAGES = {
    Script.LATIN: "ca cs cy da de en es et fi fr hr hu id it lt lv ms nl no pl pt ro sk sl sv tr vi",
    Script.CJK: "ja ko zh", Script.CYRILLIC: "bg mn ru sr uk", Script.ARABIC: "ar fa ur", Script.HEBREW: "he",
    Script.GREEK: "el", Script.THAI: "th", Script.DEVANAGARI: "hi mr ne",
}  # fmt: skip
_CJK = ("Han", "Hiragana", "Katakana", "Hangul", "Bopomofo")
_UNICODE = {script: _CJK if script is Script.CJK else (script.value,) for script in _LANGUAGES}
"""Names of the scripts in the Unicode standard."""


def _patterns(prop: str) -> dict[Script, regex.Pattern[str]]:
    sets = {script: "".join(rf"\p{{{prop}={name}}}" for name in names) for script, names in _UNICODE.items()}
    return {script: regex.compile(f"[{names}]") for script, names in sets.items()}


_LETTER = regex.compile(r"[\p{L}\p{M}]")
_NEUTRAL = regex.compile(r"(?V1)[ªº[[\p{Lm}\p{Mn}]&&[\p{scx=Latin}\p{scx=Greek}\p{scx=Cyrillic}]]]")
"""Superscript and combining letters: texts in any script use them, as in 1º or in phonetic transcriptions."""
_SHARED = regex.compile(r"[\p{Script=Common}\p{Script=Inherited}]")
_BY_SCRIPT, _BY_EXTENSION = _patterns("Script"), _patterns("Script_Extensions")
_OF_LANGUAGE = {language: script for script, codes in _LANGUAGES.items() for language in codes.split()}
OF_SOME_LANGUAGES = frozenset(_LANGUAGES) | {Script.OTHER}
"""Scripts that only some languages need; tokens of all other kinds are needed for any text."""


def script_of_language(code: str) -> Script:
    """Return the script of a language by its ISO 639-1 code.

    Raises:
        UserError: the language is not in the table.
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
    if not _LETTER.match(character) or _NEUTRAL.match(character):
        return Script.NONE
    if not _SHARED.match(character):
        return next((script for script, found in _BY_SCRIPT.items() if found.match(character)), Script.OTHER)
    # Unicode gives marks and letters of several scripts, such as the prolonged sound mark of both kana, no script of
    # their own but lists who uses them. Combining accents are used by many scripts and tell nothing.
    users = [script for script, found in _BY_EXTENSION.items() if found.match(character)]
    return users[0] if len(users) == 1 else Script.NONE
