"""BLEU and chrF against sacrebleu's own command line."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.config.scoring import Scoring
from harness.core.errors import UserError
from harness.scoring.bleu import score_bleu
from harness.scoring.chrf import score_chrf
from harness.scoring.metric import Score, Texts, get_scorer

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


def _same(ours: Score, theirs: Any) -> None:
    assert f"{ours.value:.12f}" == f"{theirs['score']:.12f}"
    assert ours.signature == f"{ours.metric}|{theirs['signature']}|made"


@pytest.mark.parametrize(("target", "pairs"), [("de", GERMAN), ("zh", CHINESE)], ids=["13a-de", "zh-zh"])
def test_bleu_is_sacrebleus_to_the_last_digit(target: str, pairs: Sequence[tuple[str, str]], tmp_path: Path) -> None:
    """Forbids another tokenizer, scale or signature than the command line's with 13a for German, zh for Chinese."""
    theirs = _command_line(tmp_path, pairs, "-m", "bleu", "--tokenize", {"de": "13a", "zh": "zh"}[target])
    ours = score_bleu(*_columns(pairs), target, "made")
    assert 0 < ours.value < 100
    _same(ours, theirs)


@pytest.mark.parametrize("pairs", [GERMAN, CHINESE], ids=["de", "zh"])
def test_chrf_is_sacrebleus_to_the_last_digit(pairs: Sequence[tuple[str, str]], tmp_path: Path) -> None:
    """Forbids other settings of chrF than the command line's defaults."""
    ours = score_chrf(*_columns(pairs), "made")
    assert 0 < ours.value < 100
    _same(ours, _command_line(tmp_path, pairs, "-m", "chrf"))


@pytest.mark.parametrize("count", [0, 3, 5])
@pytest.mark.parametrize("metric", ["BLEU", "chrF"])
def test_no_score_over_missing_hypotheses(metric: str, count: int) -> None:
    """Forbids a number when hypotheses are missing, short or too many for the references."""
    lines = ["ein Satz"] * count
    with pytest.raises(UserError, match="hypotheses"):
        score_bleu(lines, ["ein Satz"] * 4, "de", "") if metric == "BLEU" else score_chrf(lines, ["ein Satz"] * 4, "")


def test_scorers_are_found_by_metric() -> None:
    """Forbids a registered scorer that computes another number than its function."""
    hypotheses, references = _columns(GERMAN)
    texts = Texts(hypotheses=tuple(hypotheses), references=tuple(references), sources=None, target="de", made_by="made")
    settings = Scoring()
    assert get_scorer("BLEU", settings).score(texts).score == score_bleu(hypotheses, references, "de", "made")
    assert get_scorer("chrF", settings).score(texts).score == score_chrf(hypotheses, references, "made")
    with pytest.raises(UserError, match="BLEU, COMET, chrF"):
        get_scorer("BLUE", settings)


def test_sources_must_align() -> None:
    """Forbids aligned texts whose sources are not as many as the hypotheses."""
    with pytest.raises(UserError, match="2 hypotheses for 1 sources"):
        Texts(hypotheses=("a", "b"), references=("a", "b"), sources=("a",), target="de", made_by="")


def test_scoring_does_not_import_torch() -> None:
    """Forbids that scoring, a function of texts, needs the model's library."""
    code = (
        "import sys; from harness.scoring.bleu import score_bleu; import harness.scoring.score_store; "
        "score_bleu(['a b c d'], ['a b c d'], 'de', ''); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
