"""chrF by sacrebleu: character n-grams up to 6, beta 2, the same for every language."""

from collections.abc import Sequence

from harness.scoring.metric import Score, Scored, Texts, check_counts, library_version, scorer


def score_chrf(hypotheses: Sequence[str], references: Sequence[str], made_by: str) -> Score:
    """Compute corpus chrF x 100 (chrF2: beta 2, no word n-grams) against one reference per segment.

    Args:
        hypotheses: one line per segment.
        references: as many lines.
        made_by: how the hypotheses were made; follows sacrebleu's own signature.

    Raises:
        UserError: no hypotheses, or not as many as references.
    """
    from sacrebleu.metrics.chrf import CHRF

    check_counts(len(hypotheses), len(references), "references")
    metric = CHRF()
    value = float(metric.corpus_score(hypotheses, [references]).score)
    return Score("chrF", value, "x 100", f"chrF|{metric.get_signature()}|{made_by}", len(hypotheses))


@scorer("chrF", identity=lambda _target: library_version("sacrebleu"))
def chrf(texts: Texts) -> Scored:
    """Score aligned texts by chrF."""
    return Scored(score_chrf(texts.hypotheses, texts.references, texts.made_by))
