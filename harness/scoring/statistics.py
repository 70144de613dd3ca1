"""Sufficient statistics: a table per system from which a metric over any sample of segments is a sum and a formula.

For BLEU and chrF the table is sacrebleu's own, and the formulas are sacrebleu's for whole arrays at once: 1,000
samples of a test set take milliseconds. For a mean over segments, such as COMET, it is the column of numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.core.errors import UserError
from harness.scoring.bleu import tokenizer
from harness.scoring.metric import Texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_ORDERS = 4
"""n-gram orders of BLEU."""
_BETA_SQUARED = 4.0
"""chrF2 weighs recall twice as high as precision."""
_TINY = 1e-16
"""sacrebleu's precision of an order without n-grams."""


@dataclass(frozen=True)
class Statistics:
    """What a metric needs of every segment of one system.

    Attributes:
        metric: its name.
        rows: array [segments, numbers]; sums over any choice of rows are what `value` takes.
        value: array [samples, numbers] of sums -> array [samples] of the metric x 100.
    """

    metric: str
    rows: "Array"
    value: Callable[["Array"], "Array"] = field(repr=False)

    @property
    def score(self) -> float:
        """The metric over all segments."""
        return float(self.value(self.rows.sum(axis=0, keepdims=True))[0])


def corpus_statistics(texts: Texts, metric: str) -> Statistics:
    """Return the statistics of BLEU or chrF, with the settings that the scorers use.

    Raises:
        UserError: another metric, which is no function of sums.
    """
    import numpy as np
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    makers = {"BLEU": (lambda: BLEU(tokenize=tokenizer(texts.target)), bleu_of_sums), "chrF": (CHRF, chrf_of_sums)}
    if metric not in makers:
        raise UserError(f"{metric} has no statistics that add up over segments: compare BLEU, chrF or COMET.")
    make, value = makers[metric]
    rows = make()._extract_corpus_statistics(texts.hypotheses, [texts.references])  # noqa: SLF001 - it has no other
    return Statistics(metric, np.array(rows, dtype=np.float64), value)


def mean_statistics(metric: str, by_segment: tuple[float, ...]) -> Statistics:
    """Return the statistics of a metric that is the mean of one number per segment."""
    import numpy as np

    column = np.array(by_segment, dtype=np.float64)
    return Statistics(metric, np.stack([column, np.ones_like(column)], axis=1), lambda sums: sums[:, 0] / sums[:, 1])


def bleu_of_sums(sums: "Array") -> "Array":
    """Return BLEU x 100 of summed statistics: hypothesis and reference length, 4 matches, 4 totals.

    sacrebleu's definition with exponential smoothing: an order without a match counts as half the one before it; a
    corpus without any match, or without 4-grams, has 0.
    """
    import numpy as np

    sys_len, ref_len = sums[:, 0], sums[:, 1]
    correct, total = sums[:, 2 : 2 + _ORDERS], sums[:, 2 + _ORDERS : 2 + 2 * _ORDERS]
    halvings = np.cumsum((correct == 0) & (total > 0), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precisions = np.where(correct == 0, 0.5**halvings, correct) / total
        penalty = np.where(sys_len < ref_len, np.exp(1 - ref_len / sys_len), 1.0)
        scores = 100 * penalty * np.exp(np.log(precisions).mean(axis=1))
    defined = (correct > 0).any(axis=1) & (total > 0).all(axis=1)
    return np.where(defined, scores, 0.0)


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
