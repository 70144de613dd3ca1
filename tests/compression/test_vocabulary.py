"""harness.compression.vocabulary: tokens by script, and the bytes that pruning saves."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

from harness.cli.main import group
from harness.compression.codecs import Certainty, Decimal, Hqq
from harness.compression.plan import resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import EMBEDDING, HEAD, LINEAR
from harness.compression.vocabulary import Count, analyse, saving
from harness.core.errors import UserError
from harness.core.manifests import root
from harness.core.unicode_scripts import Script, script_of_text
from harness.models.qwen2_audio import specs_of_config

SEVEN_B = specs_of_config(root() / "models" / "qwen2-audio-7b.json")
WORDS = {
    Script.LATIN: ["the", " Größe", "ﬁn", "\uff21"],
    Script.CJK: ["模型", "の", "カード", "한국", "ｱ"],
    Script.CYRILLIC: [" на", "Й"],
    Script.ARABIC: ["في"],
    Script.OTHER: ["Հայ", "ქარ"],
    Script.SEVERAL: ["a\u0431"],
    Script.NONE: ["。", " 12", "\n\n", "→"],
}
PARTS = [b"\xd0", b"\xe6\xa8", b" \xe4"]
"""Beginnings of Cyrillic and Chinese letters."""
SPECIAL = "<|endoftext|>"


def write_tokenizer(folder: Path, *, byte_level: bool = True) -> Path:
    """Write a tokenizer.json of these words; byte-level ones by the letters of transformers' own table."""
    letters = bytes_to_unicode()
    words = [word.encode() for group_ in WORDS.values() for word in group_]
    if byte_level:
        tokens = ["".join(letters[byte] for byte in word) for word in (*words, *PARTS)]
    else:
        tokens = [word.decode().replace(" ", "▁") for word in words] + ["<0xE4>", "<0xD0>", "<0x0A>"]
    value: Mapping[str, object] = {
        "version": "1.0",
        "added_tokens": [{"id": len(tokens), "content": SPECIAL, "special": True}],
        "decoder": {"type": "ByteLevel", "use_regex": True} if byte_level else {"type": "Sequence", "decoders": []},
        "model": {"type": "BPE", "vocab": {token: i for i, token in enumerate([*tokens, SPECIAL])}, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


@pytest.mark.parametrize("byte_level", [True, False])
def test_tokens_are_counted_by_the_script_of_their_letters(tmp_path: Path, byte_level: bool) -> None:
    """Forbids classifying the byte alphabet instead of the text, half characters as a script, or specials as tokens."""
    found = analyse(write_tokenizer(tmp_path, byte_level=byte_level), ["de", "zh"])
    counts = {count.script: count.tokens for count in found.counts}
    expected = {script: len(words) for script, words in WORDS.items()}
    assert counts == expected | {Script.BYTES: 3, Script.SPECIAL: 1}
    assert found.tokens == sum(map(len, WORDS.values())) + 3 == 22
    shares = {count.script: count.share for count in found.counts}
    assert shares[Script.CYRILLIC] == pytest.approx(100 * 2 / 22)
    assert shares[Script.SPECIAL] is None


def test_only_scripts_of_no_language_are_prunable(tmp_path: Path) -> None:
    """Forbids pruning what a target language, any number, or half a character needs: 2 + 1 + 2 tokens may go."""
    found = analyse(write_tokenizer(tmp_path), ["de", "zh"])
    assert {count.script for count in found.counts if not count.needed} == {
        Script.CYRILLIC, Script.ARABIC, Script.OTHER,
    }  # fmt: skip
    assert found.prunable == 5
    assert analyse(tmp_path, ["ru"]).prunable == 4 + 5 + 1 + 2
    assert analyse(tmp_path, []).prunable == 4 + 5 + 2 + 1 + 2


@pytest.mark.parametrize(
    ("text", "script"),
    [("e\u0301", Script.LATIN), ("µ", Script.NONE), ("\u200d", Script.NONE), ("", Script.NONE), ("々", Script.CJK)],
)
def test_marks_and_signs_go_with_any_script(text: str, script: Script) -> None:
    """Forbids that an accent, a unit or an invisible joiner makes a token one of several scripts."""
    assert script_of_text(text) is script


def test_saving_on_the_7b_model_by_hand() -> None:
    """Forbids a saving other than that of 12,000 rows of 4096 weights, by codec.

    Embedding, 2 bits and half a bit of metadata in groups of 64: 12,000 x 4096 x 2.5 / 8 = 15,360,000 bytes.
    LM head, 4 bits and half a bit:                               12,000 x 4096 x 4.5 / 8 = 27,648,000 bytes.
    """
    recipe = Recipe(rule(EMBEDDING, Hqq(2)), rule(LINEAR, Hqq(4)))
    found = saving(resolve("hqq4-emb2", recipe, SEVEN_B), 12_000)
    assert (found.system, found.tokens, found.certainty) == ("hqq4-emb2", 12_000, Certainty.EXACT)
    assert found.bytes == 15_360_000 + 27_648_000


def test_a_difference_of_bounds_is_not_exact() -> None:
    """Forbids calling a saving exact where the codec only bounds its size."""
    assert saving(resolve("s", Recipe(rule(HEAD, Decimal(2))), SEVEN_B), 100).certainty is Certainty.ESTIMATE


def test_another_models_tokenizer_is_refused() -> None:
    """Forbids a saving of more rows than there are: the model has 156,032."""
    with pytest.raises(UserError, match="Cannot remove"):
        saving(resolve("s", Recipe(rule(LINEAR, Hqq(4))), SEVEN_B), 156_032)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[]", "has no valid vocabulary"),
        ('{"model": {"type": "Unigram", "vocab": [["a", -1.0]]}}', "has no valid vocabulary"),
        ('{"model": {"type": "BPE", "vocab": {}}}', "has an empty vocabulary"),
        ("{", "is not valid JSON"),
    ],
)
def test_a_file_that_is_not_a_bpe_tokenizer_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    """Forbids a traceback, or an analysis of nothing, for another file."""
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match=sentence):
        analyse(tmp_path, ["de"])


def test_a_missing_tokenizer_and_an_unknown_language_are_named(tmp_path: Path) -> None:
    """Forbids guessing a script."""
    with pytest.raises(UserError, match=r"Cannot read .*tokenizer\.json"):
        analyse(tmp_path, ["de"])
    with pytest.raises(UserError, match="language 'xx' is not known"):
        analyse(write_tokenizer(tmp_path), ["xx"])


def test_the_command_prints_shares_and_savings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Forbids that the command shows other numbers than the analysis: 5 rows x 4096 x (2.5 + 4.5) / 8 = 17,920."""
    shapes = str(root() / "models" / "qwen2-audio-7b.json")
    arguments = ["vocabulary", str(write_tokenizer(tmp_path)), "--language", "de", "--language", "zh"]
    group.main([*arguments, "--system", "hqq4-emb2", "--shapes", shapes], standalone_mode=False)
    text = capsys.readouterr().out
    assert "22 tokens without the special ones; needed: de, zh" in text
    assert "hqq4-emb2: 17,920 bytes (0.018 MB) less" in text
    group.main([*arguments, "--json"], standalone_mode=False)
    value = json.loads(capsys.readouterr().out)
    assert value["prunable"] == 5
    assert Count(Script.CYRILLIC, 2, 100 * 2 / 22, needed=False) in [
        Count(Script(c["script"]), c["tokens"], c["share"], c["needed"]) for c in value["vocabulary"]["counts"]
    ]
