"""Post-processing: what is done to every system's translations alike before they are scored; nothing by default.

The second paper (section 5) cleaned its submission of meta prefixes such as "the Chinese translation of this English
is: '...'", which the instruct model writes before what it was asked for. It is declared by the task, has a version,
and stands in the signature of every score, so that a cleaned number is never taken for a plain one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.core.errors import UserError


@dataclass(frozen=True)
class Postprocessor:
    """A registered post-processor.

    Attributes:
        name: as a task names it.
        version: raised whenever it changes any text; 0 for `none`.
        apply: text, target language (ISO 639-1) -> text; never makes an empty text of one that is not.
    """

    name: str
    version: int
    apply: Callable[[str, str], str]

    @property
    def identity(self) -> str:
        """Name and version, as signatures show them."""
        return f"{self.name}-{self.version}" if self.version else self.name


_WORDS = r"[^'‘’\"“”「」:：]{0,60}"
_META = re.compile(
    rf"\s*{_WORDS}(?:翻译|译文|内容|说的|提到|\b[Tt]ranslat|\bmeans\b){_WORDS}[:：]\s*(?P<rest>\S.*)", re.DOTALL
)
"""A short clause that speaks of a translation, of contents or of what is said, a colon, and the translation."""
_QUOTES = {"'": "'", "‘": "’", '"': '"', "“": "”", "「": "」", "『": "』"}
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def strip_meta(text: str, target: str) -> str:
    """Return a Chinese translation without a meta prefix (in Chinese or English) and the quotes around what follows.

    Translations into other languages stay as they are. Only a prefix that is followed by a quotation is taken off:
    without quotes it may be the translation itself.
    """
    match = _META.fullmatch(text) if target == "zh" else None
    if match is None:
        return text
    rest = match["rest"].strip()
    if rest[0] not in _QUOTES:
        return text
    return rest[1:].removesuffix(_QUOTES[rest[0]]).strip() or text


def leaks(text: str, target: str) -> bool:
    """Whether a Chinese translation holds words but no Chinese character: it is flagged, never changed or removed."""
    return target == "zh" and any(character.isalpha() for character in text) and not _HAN.search(text)


_POSTPROCESSORS = {
    "none": Postprocessor("none", 0, lambda text, _target: text),
    "strip-meta": Postprocessor("strip-meta", 1, strip_meta),
}


def get_postprocessor(name: str) -> Postprocessor:
    """Return a post-processor by its name.

    Raises:
        UserError: there is none.
    """
    if name not in _POSTPROCESSORS:
        raise UserError(f"No post-processing is named {name!r}: there are {', '.join(_POSTPROCESSORS)}.")
    return _POSTPROCESSORS[name]
