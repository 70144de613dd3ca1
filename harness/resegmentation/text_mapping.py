"""Mapping the output of alignment tools back to the original text, so that no word is changed by a tool.

The tools treat ` ### ` and tabs as separators, fail on control characters and strip their output. They are therefore
given a prepared text in which every such character is replaced by exactly *one* other. Of their output only the
positions of the cuts are used, counted in characters that are not white space, and applied to the original text.
"""

import re
import unicodedata
from collections.abc import Sequence

SPACELESS = frozenset({"ja", "zh"})
"""Languages (ISO 639-1) that put no spaces between words."""
_SPACE_MARK = "\u2581"
"""mweralign's mark for a space inside a token."""
_REPLACED = frozenset({"Cc", "Cs", "Cn", "Co"})
"""Unicode categories that no translation needs: control characters, surrogates, unassigned and private ones."""
_LATIN_END = re.compile(r"[!-~\u00a1-\u024f]\Z")
_LATIN_START = re.compile(r"[!-~\u00a1-\u024f]")


def join(texts: Sequence[str], target: str) -> str:
    """Return the translations of one recording as one line.

    Chinese and Japanese lines are joined without a space, except between two Latin letters.
    """
    filled = list(filter(None, (" ".join(text.split()) for text in texts)))
    if target not in SPACELESS:
        return " ".join(filled)
    joined = ""
    for text in filled:
        joined += f" {text}" if _LATIN_END.search(joined) and _LATIN_START.match(text) else text
    return joined


def prepare(text: str) -> str:
    """Return a text that is safe for a tool, with the same number of characters that are not white space."""
    plain = " ".join(text.split()).replace("###", "＃＃＃")
    return "".join("\ufffd" if c == _SPACE_MARK or unicodedata.category(c) in _REPLACED else c for c in plain)


def dense(text: str) -> str:
    """Return a text without its white space."""
    return "".join(text.split())


def cut(text: str, pieces: Sequence[str]) -> tuple[str, ...]:
    """Divide a text where a tool divided its prepared form.

    Raises:
        ValueError: the pieces are not the prepared text: the tool lost, added or changed a character.
    """
    if dense("".join(pieces)) != dense(prepare(text)):
        raise ValueError("the pieces do not hold the text that was given")
    places = [place for place, character in enumerate(text) if not character.isspace()]
    cuts, seen = [0], 0
    for piece in pieces[:-1]:
        seen += len(dense(piece))
        cuts.append(places[seen] if seen < len(places) else len(text))
    return tuple(text[begin:end].strip() for begin, end in zip(cuts, [*cuts[1:], len(text)], strict=True))
