"""chrF by sacrebleu: character n-grams up to 6, beta 2, the same for every language."""

from collections.abc import Sequence

from harness.scoring.metric import Array, Scale, Scored, Texts, check_counts, library_version, metric
from harness.scoring.sacrebleu_score import corpus_score

_BETA_SQUARED = 4.0  # chrF2 weighs recall twice as high as precision
_TINY = 1e-16  # sacrebleu's precision of an order without n-grams


def score_chrf(hypotheses: Sequence[str], references: Sequence[str], made_by: str) -> Scored:
    """Compute corpus chrF x 100 (chrF2: beta 2, no word n-grams); `made_by` follows sacrebleu's own signature.

    Raises:
        UserError: there are no hypotheses, or not as many as references.
    """
    from sacrebleu.metrics.chrf import CHRF

    check_counts(len(hypotheses), len(references), "references")
    return corpus_score(CHRF(), "chrF", (hypotheses, references), made_by)


def chrf_of_sums(sums: "Array") -> "Array":
    """Return chrF2 x 100 of summed statistics: n-grams of hypothesis, of reference and matches, for each order.

    sacrebleu's definition: precision and recall are averaged over the orders that both sides have.
    """
    import numpy as np

    hypothesis, reference, match = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
    both = (hypothesis > 0) & (reference > 0)
    orders = np.maximum(both.sum(axis=1), 1)
    precision = np.where(both, match / np.maximum(hypothesis, 1), 0.0).sum(axis=1) / orders
    recall = np.where(both, match / np.maximum(reference, 1), 0.0).sum(axis=1) / orders
    weighted = _BETA_SQUARED * precision + recall
    return np.where(weighted > 0, 100 * (1 + _BETA_SQUARED) * precision * recall / np.maximum(weighted, _TINY), 0.0)


@metric(Scale("chrF"), identity=lambda _target: library_version("sacrebleu"), from_sums=chrf_of_sums)
def chrf(texts: Texts) -> Scored:
    """Score aligned texts by chrF."""
    return score_chrf(texts.hypotheses, texts.references, texts.made_by)
