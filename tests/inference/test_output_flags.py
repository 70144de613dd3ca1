"""harness.inference.output_flags: what is suspicious about a translation; every expected value was written by hand."""

# ruff: noqa: RUF001 - Chinese punctuation is meant

import pytest

from harness.inference.hypothesis import Hypothesis, HypothesisSet, Stop
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
def test_good_german_carries_no_flag(text: str) -> None:
    """Forbids alarms on emphasis, doubled articles, large numbers, numbers alone, other Latin letters and symbols."""
    assert flags_of(text, "de", Stop.EOS) == ()


@pytest.mark.parametrize("text", GOOD_ZH)
def test_good_chinese_carries_no_flag(text: str) -> None:
    """Forbids alarms on reduplication, laughter, Latin names and large numbers."""
    assert flags_of(text, "zh", Stop.EOS) == ()


@pytest.mark.parametrize("text", ["", " ", "...", "——", "♪♪ – ♪", "。"])
@pytest.mark.parametrize("target", ["de", "zh"])
def test_a_text_without_words_is_blank(text: str, target: str) -> None:
    """Forbids that punctuation alone passes for a translation, and that it is blamed for anything else."""
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
def test_a_stretch_that_comes_again_and_again_is_a_repetition(text: str, target: str) -> None:
    """Forbids that a loop goes unseen: of a word or a phrase, with other case or punctuation, within a good text."""
    assert flags_of(text, target) == (Flag.REPEATS,)


def test_a_repetition_across_scripts_needs_words_not_characters() -> None:
    """Forbids that one Latin word four times is let pass in Chinese, where one character is let pass up to seven."""
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
def test_the_wrong_script_is_seen(text: str, target: str) -> None:
    """Forbids that an untranslated or mistargeted answer passes; names may keep their script, most words may not."""
    assert flags_of(text, target) == (Flag.WRONG_SCRIPT,)


def test_an_unknown_language_is_judged_by_the_other_rules() -> None:
    """Forbids that translating into a language whose script is not known here fails after the work is done."""
    assert flags_of("kupu " * 4, "xx") == (Flag.REPEATS,)


def test_a_cut_translation_is_flagged_whatever_it_says() -> None:
    """Forbids that an answer which met its limit looks whole."""
    assert flags_of("Das Modell", "de", Stop.LENGTH) == (Flag.CUT,)
    assert flags_of("da " * 30, "de", Stop.LENGTH) == (Flag.REPEATS, Flag.CUT)


def _set(*texts: str) -> HypothesisSet:
    rows = tuple(
        Hypothesis(
            i, Segment("a.wav", i, 1.0), text, 3, 0.1, 1, Stop.LENGTH if i == 0 else Stop.EOS, attempts=1 + i // 2
        )
        for i, text in enumerate(texts)
    )
    return HypothesisSet("k", "a", "s", "t", "en-de", "sig", rows)


def test_flags_are_counted_per_set_and_name_their_rows() -> None:
    """Forbids a report that leaves a flag out, or that does not say which translation it means."""
    found = flagged(_set("Gut.", "", "da " * 9, "这个模型很好"))
    assert found.segments == 4
    assert found.counts == {Flag.BLANK: 1, Flag.REPEATS: 1, Flag.CUT: 1, Flag.WRONG_SCRIPT: 1}
    assert found.rows == {0: (Flag.CUT,), 1: (Flag.BLANK,), 2: (Flag.REPEATS,), 3: (Flag.WRONG_SCRIPT,)}
    assert str(found) == "flags on 4 translations: 1 blank, 1 repeats, 1 cut, 1 wrong_script, 2 asked twice"


def test_texts_of_others_are_flagged_alike() -> None:
    """Forbids another yardstick for external systems; without a decoder nothing is known to be cut."""
    found = flagged_texts(["Gut.", ""], "de")
    assert found.counts == {Flag.BLANK: 1, Flag.REPEATS: 0, Flag.CUT: 0, Flag.WRONG_SCRIPT: 0}
    assert str(flagged_texts(["Gut."], "de")) == "flags on 1 translations: none"
