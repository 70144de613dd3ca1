"""Sufficient statistics: a table per system from which a metric over any sample of segments is a sum and a formula.

For BLEU, chrF and TER the table is sacrebleu's own, and the formulas are sacrebleu's for whole arrays at once: 1,000
samples of a test set take milliseconds. For a mean over segments, such as COMET, it is the column of values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.core.errors import UserError
from harness.scoring.metric import Array, Metric


@dataclass(frozen=True)
class Statistics:
    """The statistics of a metric, which is given by name, for every segment of one system.

    Attributes:
        rows: shape (segments, numbers); `value` takes sums over any choice of rows.
        value: sums, shape (samples, numbers) -> values of the metric, shape (samples,).
    """

    metric: str
    rows: "Array"
    value: Callable[["Array"], "Array"] = field(repr=False)
    higher_is_better: bool = True

    @property
    def score(self) -> float:
        """The metric over all segments."""
        return float(self.value(self.rows.sum(axis=0, keepdims=True))[0])


def statistics_of(metric: Metric, rows: Sequence[Sequence[float]]) -> Statistics:
    """Return the statistics of a metric from stored rows, one per segment.

    Raises:
        UserError: the metric has none, so that systems cannot be tested by it.
    """
    import numpy as np

    scale = metric.scale
    if not rows:
        raise UserError(
            f"{scale.name} has no statistics by segment, so systems cannot be tested by it: rank by another one."
        )
    return Statistics(scale.name, np.array(rows, dtype=np.float64), metric.from_sums, scale.higher_is_better)
