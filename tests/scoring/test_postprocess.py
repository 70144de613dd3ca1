"""Post-processing: what is taken off, and what is never touched."""
# ruff: noqa: RUF001 - Chinese has its own punctuation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import UserError
from harness.scoring.postprocess import POSTPROCESSORS
from harness.scoring.postprocessors.strip_meta import strip_meta


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("这段英语的中文翻译是：'模型很小。'", "模型很小。"),
        ("该音频的中文翻译是：“模型很小。”", "模型很小。"),
        ('音频中说的是: "模型很小。"', "模型很小。"),
        ("The English speech translated into Chinese is: '模型很小。'", "模型很小。"),
        ("This sentence means: '模型很小。'", "模型很小。"),
        ("这段英语的中文翻译是：'模型很小，但是被截断了", "模型很小，但是被截断了"),
        ("这段英语的中文翻译是：'它叫'小模型'。'", "它叫'小模型'。"),
    ],
)
def test_meta_prefixes_go_with_their_quotes(text: str, clean: str) -> None:
    """Forbids that a preamble, or the quotes that it opened, stay in a cleaned translation."""
    assert strip_meta(text, "zh") == clean


@pytest.mark.parametrize(
    "text",
    [
        "模型很小。",
        "翻译是：模型很小。",
        "我们的翻译是一个例子。",
        "他说：'模型很小。'",
        "第一点：'翻译'很难。",
        "这段英语的中文翻译是：''",
        "这段英语的中文翻译是：",
    ],
)
def test_translations_that_only_look_like_one_stay(text: str) -> None:
    """Forbids changing a translation that has no quoted preamble, and an empty text in place of one."""
    assert strip_meta(text, "zh") == text


@given(st.text())
def test_other_languages_and_no_processing_change_nothing(text: str) -> None:
    """Forbids touching German, and touching anything when post-processing is off; nothing becomes empty."""
    assert strip_meta(text, "de") == text
    assert POSTPROCESSORS.get("none").apply(text, "zh") == text
    assert bool(strip_meta(text, "zh").strip()) == bool(text.strip())


def test_the_name_has_a_version() -> None:
    """Forbids a signature that does not tell two versions of a post-processor apart, and unknown names."""
    assert POSTPROCESSORS.get("none").identity == "none"
    assert POSTPROCESSORS.get("strip-meta").identity == "strip-meta-1"
    with pytest.raises(UserError, match="none, strip-meta"):
        POSTPROCESSORS.get("clean")
