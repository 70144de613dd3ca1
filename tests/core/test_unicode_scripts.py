"""harness.core.unicode_scripts: scripts of characters and texts, by the names that Unicode gives the characters."""

import unicodedata

import pytest

from harness.core.errors import UserError
from harness.core.unicode_scripts import Script, script_of_language, script_of_text

BY_NAME = {
    "LATIN": Script.LATIN,
    "CJK": Script.CJK,
    "HIRAGANA": Script.CJK,
    "KATAKANA": Script.CJK,
    "HANGUL": Script.CJK,
    "BOPOMOFO": Script.CJK,
    "CYRILLIC": Script.CYRILLIC,
    "ARABIC": Script.ARABIC,
    "HEBREW": Script.HEBREW,
    "GREEK": Script.GREEK,
    "THAI": Script.THAI,
    "DEVANAGARI": Script.DEVANAGARI,
    "ARMENIAN": Script.OTHER,
    "TAMIL": Script.OTHER,
}


@pytest.mark.parametrize("word", BY_NAME)
def test_letters_have_the_script_in_their_name(word: str) -> None:
    """Forbids another script for a letter (category Lu, Ll or Lo) than the first word of its Unicode name."""
    letters = [chr(code) for code in range(0x30000) if unicodedata.category(chr(code)) in {"Lu", "Ll", "Lo"}]
    named = [letter for letter in letters if unicodedata.name(letter, "").split()[:1] == [word]]
    assert len(named) > 20
    assert {script_of_text(letter) for letter in named} == {BY_NAME[word]}


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("", Script.NONE),
        ("12, 3 % …", Script.NONE),
        ("Straße", Script.LATIN),
        ("e\N{COMBINING ACUTE ACCENT}", Script.LATIN),
        ("и\N{COMBINING BREVE}", Script.CYRILLIC),
        ("и\N{COMBINING CARON}", Script.CYRILLIC),
        ("ー", Script.CJK),
        ("ラーメン", Script.CJK),
        ("第1º", Script.CJK),
        ("\N{ARABIC FATHA}\N{ARABIC TATWEEL}", Script.ARABIC),
        ("BERT模型", Script.SEVERAL),
    ],
)
def test_texts_have_the_script_of_their_letters(text: str, script: Script) -> None:
    """Forbids that digits, punctuation, accents or superscripts decide, and that marks of one script are lost."""
    assert script_of_text(text) is script


def test_an_unknown_language_is_refused() -> None:
    """Forbids a guess for a language that the table does not have."""
    assert script_of_language("zh") is Script.CJK
    with pytest.raises(UserError, match="The script of language 'xx' is not known"):
        script_of_language("xx")
