"""Flags of suspicious translations; every expected value was written by hand."""

# ruff: noqa: RUF001 - Chinese punctuation is meant

import pytest

from harness.inference.hypothesis import Hypothesis, HypothesisSet, StopReason
from harness.inference.output_flags import Flag, flagged, flagged_texts, flags_of
from harness.testsets.segments import Segment

GOOD_DE = (
    "Das Modell übersetzt den Satz.",
    "Ja, ja, ja.",
    "Er sagte, dass das das Problem ist.",
    "Der Preis fällt um 10 000 000 Prozent.",
    "Die Die-Ebene.",
    "12",
    "Café São Tomé, Łódź und Ærø",
    "Wir nennen es α, β, γ.",
)
GOOD_ZH = (
    "模型翻译这个句子。",
    "研究研究，讨论讨论。",
    "哈哈哈哈",
    "我们使用 Qwen2-Audio 和 BERT 模型。",
    "百分之10000000",
    "谢谢谢谢。",
)


@pytest.mark.parametrize("text", GOOD_DE)
def test_good_german_has_no_flag(text: str) -> None:
    """Forbids flags on emphasis, doubled articles, large numbers, numbers alone, other Latin letters and symbols."""
    assert flags_of(text, "de", StopReason.EOS) == ()


@pytest.mark.parametrize("text", GOOD_ZH)
def test_good_chinese_has_no_flag(text: str) -> None:
    """Forbids flags on reduplication, laughter, Latin names and large numbers."""
    assert flags_of(text, "zh", StopReason.EOS) == ()


@pytest.mark.parametrize("text", ["", " ", "...", "——", "♪♪ – ♪", "。"])
@pytest.mark.parametrize("target", ["de", "zh"])
def test_a_text_without_words_is_blank(text: str, target: str) -> None:
    """Forbids that punctuation alone counts as a translation, and that it gets any other flag."""
    assert flags_of(text, target) == (Flag.BLANK,)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("sehr sehr sehr sehr gut", "de"),
        ("Und dann. Und dann, und DANN", "de"),
        ("Wir messen die Größe, wir messen die Größe, wir messen die Größe", "de"),
        ("Am Anfang war es gut, " + "aber nicht heute, " * 3 + "und am Ende auch", "de"),
        ("0 0 0 0", "de"),
        ("好好好好好好好好", "zh"),
        ("我们的模型，我们的模型，我们的模型", "zh"),
        ("首先，" + "测量大小" * 3, "zh"),
        ("模型很好 the the the the 很好", "zh"),
    ],
)
def test_a_sequence_that_occurs_again_and_again_is_a_repetition(text: str, target: str) -> None:
    """Forbids missing a repeated word or phrase, with other case or punctuation, or within a good text."""
    assert flags_of(text, target) == (Flag.REPEATS,)


def test_a_repetition_across_scripts_needs_words_not_characters() -> None:
    """Forbids that a Latin word four times passes in Chinese text, where a single character may occur seven times."""
    assert Flag.REPEATS in flags_of("ok ok ok ok", "zh")
    assert Flag.REPEATS not in flags_of("好" * 7, "zh")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("这个模型很好。", "de"),
        ("Модель хорошая", "de"),
        ("The Chinese translation of this is very long", "zh"),
        ("The model says 好", "zh"),
    ],
)
def test_the_wrong_script_is_flagged(text: str, target: str) -> None:
    """Forbids missing an untranslated output or one in a wrong language; only names may keep their script."""
    assert flags_of(text, target) == (Flag.WRONG_SCRIPT,)


def test_an_unknown_language_is_judged_by_the_other_rules() -> None:
    """Forbids an error, after all translations were made, for a language without a known script."""
    assert flags_of("kupu " * 4, "xx") == (Flag.REPEATS,)


def test_a_cut_translation_is_flagged_whatever_its_text() -> None:
    """Forbids that an output which reached its limit counts as complete."""
    assert flags_of("Das Modell", "de", StopReason.LENGTH) == (Flag.CUT,)
    assert flags_of("da " * 30, "de", StopReason.LENGTH) == (Flag.REPEATS, Flag.CUT)


def _set(*texts: str) -> HypothesisSet:
    rows = tuple(
        Hypothesis(
            i,
            Segment("a.wav", i, 1.0),
            text,
            3,
            0.1,
            1,
            StopReason.LENGTH if i == 0 else StopReason.EOS,
            attempts=1 + i // 2,
        )
        for i, text in enumerate(texts)
    )
    return HypothesisSet("k", "a", "s", "t", "en-de", "sig", rows)


def test_flags_are_counted_per_set_and_name_their_rows() -> None:
    """Forbids a summary that leaves out a flag, or the translation that has it."""
    found = flagged(_set("Gut.", "", "da " * 9, "这个模型很好"))
    assert found.segments == 4
    assert found.counts == {Flag.BLANK: 1, Flag.REPEATS: 1, Flag.CUT: 1, Flag.WRONG_SCRIPT: 1}
    assert found.rows == {0: (Flag.CUT,), 1: (Flag.BLANK,), 2: (Flag.REPEATS,), 3: (Flag.WRONG_SCRIPT,)}
    assert str(found) == "flags on 4 translations: 1 blank, 1 repeats, 1 cut, 1 wrong_script, 2 decoded twice"


def test_external_texts_are_flagged_by_the_same_rules() -> None:
    """Forbids other rules for external systems; without decoding information none is `cut`."""
    found = flagged_texts(["Gut.", ""], "de")
    assert found.counts == {Flag.BLANK: 1, Flag.REPEATS: 0, Flag.CUT: 0, Flag.WRONG_SCRIPT: 0}
    assert str(flagged_texts(["Gut."], "de")) == "flags on 1 translations: none"
