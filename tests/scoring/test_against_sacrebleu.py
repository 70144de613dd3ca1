"""BLEU, chrF and TER against sacrebleu's own command line."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.config.scoring import Comet, Scoring
from harness.core.errors import UserError
from harness.scoring.metric import NotMeasuredError, Score, Scored, Texts, get_metric
from harness.scoring.metrics import bleu as bleu_module
from harness.scoring.metrics.bleu import score_bleu, tokenizer
from harness.scoring.metrics.chrf import score_chrf

GERMAN = (
    ("Heute zeige ich Ihnen, wie ein kleines Modell spricht.", "Heute zeige ich euch, wie ein kleines Modell spricht."),
    ("Die Ergebnisse sind 3,5 Punkte besser!", "Die Resultate sind um 3,5 Punkte besser!"),
    ("", "Vielen Dank für Ihre Aufmerksamkeit."),
    ("Wir messen Größe & Güte (beides).", "Wir messen Größe und Güte (beides)."),
)
CHINESE = (
    ("大家好,今天我介绍一个小模型。", "大家好。今天我来介绍一个小模型。"),
    ("结果提高了3.5分。", "结果提高了 3.5 分、很好。"),
    ("谢谢大家", "谢谢大家的聆听。"),
    ("我们测量大小和质量。", "我们同时测量大小和质量。"),
)


def _columns(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [hypothesis for hypothesis, _ in pairs], [reference for _, reference in pairs]


def _command_line(folder: Path, pairs: Sequence[tuple[str, str]], *options: str) -> Any:
    hypotheses, references = _columns(pairs)
    for name, lines in (("hypotheses", hypotheses), ("references", references)):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", "references", "-i", "hypotheses", "-w", "12", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _score(metric: str, texts: Texts) -> Scored:
    return get_metric(metric, Scoring()).configure(Scoring(), metric).score(texts)


def _texts(pairs: Sequence[tuple[str, str]], target: str) -> Texts:
    hypotheses, references = _columns(pairs)
    return Texts(
        hypotheses=tuple(hypotheses), references=tuple(references), sources=None, target=target, made_by="made"
    )


def _same(ours: Score, theirs: Any) -> None:
    assert f"{ours.value:.12f}" == f"{theirs['score']:.12f}"
    assert ours.signature == f"{ours.metric}|{theirs['signature']}|made"


@pytest.mark.parametrize(("target", "pairs"), [("de", GERMAN), ("zh", CHINESE)], ids=["13a-de", "zh-zh"])
def test_bleu_is_sacrebleus_to_the_last_digit(target: str, pairs: Sequence[tuple[str, str]], tmp_path: Path) -> None:
    """Forbids another tokenizer, scale or signature than the command line's with 13a for German, zh for Chinese."""
    theirs = _command_line(tmp_path, pairs, "-m", "bleu", "--tokenize", {"de": "13a", "zh": "zh"}[target])
    ours = score_bleu(*_columns(pairs), target, "made").score
    assert 0 < ours.value < 100
    _same(ours, theirs)


@pytest.mark.parametrize("pairs", [GERMAN, CHINESE], ids=["de", "zh"])
def test_chrf_is_sacrebleus_to_the_last_digit(pairs: Sequence[tuple[str, str]], tmp_path: Path) -> None:
    """Forbids other settings of chrF than the command line's defaults."""
    ours = score_chrf(*_columns(pairs), "made").score
    assert 0 < ours.value < 100
    _same(ours, _command_line(tmp_path, pairs, "-m", "chrf"))


@pytest.mark.parametrize("count", [0, 3, 5])
@pytest.mark.parametrize("metric", ["BLEU", "chrF"])
def test_no_score_over_missing_hypotheses(metric: str, count: int) -> None:
    """Forbids a number when hypotheses are missing, short or too many for the references."""
    lines = ["ein Satz"] * count
    with pytest.raises(UserError, match="hypotheses"):
        score_bleu(lines, ["ein Satz"] * 4, "de", "") if metric == "BLEU" else score_chrf(lines, ["ein Satz"] * 4, "")


@pytest.mark.parametrize(("target", "pairs"), [("de", GERMAN), ("zh", CHINESE)], ids=["de", "zh"])
def test_ter_is_sacrebleus_to_the_last_digit(target: str, pairs: Sequence[tuple[str, str]], tmp_path: Path) -> None:
    """Forbids other settings of TER than the defaults, and word edits in a language without spaces."""
    options = ["--ter-asian-support", "--ter-normalized"] if target == "zh" else []
    ours = _score("TER", _texts(pairs, target)).score
    assert 0 < ours.value < 200
    _same(ours, _command_line(tmp_path, pairs, "-m", "ter", *options))
    assert not get_metric("TER", Scoring()).scale.higher_is_better


@pytest.mark.parametrize("metric", ["BLEU", "chrF", "TER"])
@pytest.mark.parametrize(("target", "pairs"), [("de", GERMAN), ("zh", CHINESE)], ids=["de", "zh"])
def test_the_score_is_the_value_of_its_statistics(metric: str, target: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Forbids statistics of other settings than the score's, whose significance tests would be about another metric."""
    found = _score(metric, _texts(pairs, target))
    sums = np.array(found.statistics).sum(axis=0, keepdims=True)
    assert get_metric(metric, Scoring()).from_sums(sums)[0] == pytest.approx(found.score.value, abs=1e-10)


def test_metrics_are_found_by_name() -> None:
    """Forbids a registered metric that computes another number than its function, and an unknown one passed over."""
    texts = _texts(GERMAN, "de")
    assert _score("BLEU", texts) == score_bleu(texts.hypotheses, texts.references, "de", "made")
    assert _score("chrF", texts) == score_chrf(texts.hypotheses, texts.references, "made")
    with pytest.raises(UserError, match="No metric is named 'BLUE': did you mean BLEU"):
        get_metric("BLUE", Scoring())


def test_a_checkpoint_cannot_take_the_name_of_a_metric() -> None:
    """Forbids that a table of a profile silently turns BLEU into COMET."""
    with pytest.raises(UserError, match=r"\[scoring.comets.BLEU\] has the name of another metric"):
        get_metric("BLEU", Scoring(comets={"BLEU": Comet()}))


@pytest.mark.parametrize(("target", "name"), [("de", "13a"), ("vi", "13a"), ("zh", "zh")])
def test_the_tokenizer_suits_the_language(target: str, name: str) -> None:
    """Forbids 13a for Chinese, and anything else for languages that separate words by spaces."""
    assert tokenizer(target) == name


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("ja", r"needs sacrebleu's tokenizer ja-mecab: `pip install 'sacrebleu\[ja\]'`"),
        ("ko", r"needs sacrebleu's tokenizer ko-mecab: `pip install 'sacrebleu\[ko\]'`"),
        ("th", "needs the model of sacrebleu's tokenizer flores200"),
        ("xx", "no tokenizer is known to be right for BLEU in 'xx'"),
    ],
)
def test_a_language_without_its_tokenizer_is_one_sentence(
    target: str, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Forbids that 13a silently counts a whole sentence of an unspaced language as one word."""
    monkeypatch.setattr(bleu_module, "find_spec", lambda _name: None)
    monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(tmp_path))
    with pytest.raises(NotMeasuredError, match=sentence):
        score_bleu(["a"], ["a"], target, "")


@pytest.mark.parametrize(("target", "name"), [("ja", "ja-mecab"), ("th", "flores200")])
def test_a_tokenizer_that_is_there_is_used(
    target: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Forbids that Japanese and Thai are refused where sacrebleu can tokenize them."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "flores200sacrebleuspm").write_bytes(b"")
    monkeypatch.setattr(bleu_module, "find_spec", lambda name: name)
    monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(tmp_path))
    assert tokenizer(target) == name


def test_sources_must_align() -> None:
    """Forbids aligned texts whose sources are not as many as the hypotheses."""
    with pytest.raises(UserError, match="2 hypotheses for 1 sources"):
        Texts(hypotheses=("a", "b"), references=("a", "b"), sources=("a",), target="de", made_by="")


def test_scoring_does_not_import_torch() -> None:
    """Forbids that scoring, a function of texts, needs the model's library."""
    code = (
        "import sys; from harness.scoring.metrics.bleu import score_bleu; import harness.scoring.score_store; "
        "score_bleu(['a b c d'], ['a b c d'], 'de', ''); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
