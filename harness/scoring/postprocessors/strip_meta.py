"""Remove meta prefixes of the instruct model, such as "the Chinese translation of this English is: '...'".

Source: selected-layer codec paper, section 5, which cleaned its submission in this way.
"""

import re

from harness.scoring.postprocess import postprocessor

_WORDS = r"[^'‘’\"“”「」:：]{0,60}"
_META = re.compile(
    rf"\s*{_WORDS}(?:翻译|译文|内容|说的|提到|\b[Tt]ranslat|\bmeans\b){_WORDS}[:：]\s*(?P<rest>\S.*)", re.DOTALL
)
"""A short clause that mentions a translation, contents or a statement, a colon, and the translation."""
_QUOTES = {"'": "'", "‘": "’", '"': '"', "“": "”", "「": "」", "『": "』"}


@postprocessor("strip-meta", version=1)
def strip_meta(text: str, target: str) -> str:
    """Return a Chinese translation without a meta prefix (in Chinese or English) and the quotes around what follows.

    Translations into other languages are unchanged, and so is a prefix without a quotation after it: it may be the
    translation itself.
    """
    match = _META.fullmatch(text) if target == "zh" else None
    if match is None:
        return text
    rest = match["rest"].strip()
    return rest[1:].removesuffix(_QUOTES[rest[0]]).strip() or text if rest[0] in _QUOTES else text
