"""Corpus scores of sacrebleu's metrics, with the statistics by segment that they are computed from."""

from collections.abc import Sequence
from typing import Any

from harness.scoring.metric import Score, Scored


def corpus_score(metric: Any, name: str, texts: tuple[Sequence[str], Sequence[str]], made_by: str) -> Scored:
    """Return a corpus score and its statistics.

    Args:
        metric: an object of `sacrebleu.metrics`.
        name: its name in scores.
        texts: hypotheses and references, one line per segment each.
        made_by: how the hypotheses were made; appended to sacrebleu's own signature.
    """
    hypotheses, references = texts
    value = float(metric.corpus_score(hypotheses, [references]).score)
    # sacrebleu has no public access to the statistics that its own significance tests resample.
    rows = metric._extract_corpus_statistics(hypotheses, [references])  # noqa: SLF001
    score = Score(name, value, "x 100", f"{name}|{metric.get_signature()}|{made_by}", len(hypotheses))
    return Scored(score, tuple(tuple(map(float, row)) for row in rows))
