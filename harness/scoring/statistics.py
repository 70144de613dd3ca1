"""Sufficient statistics: a table per system from which a metric over any sample of segments is a sum and a formula.

For BLEU, chrF and TER the table is sacrebleu's own, and the formulas are sacrebleu's for whole arrays at once: 1,000
samples of a test set take milliseconds. For a mean over segments, such as COMET, it is the column of values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.core.errors import UserError
from harness.scoring.metric import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """What a metric needs of every segment of one system.

    Attributes:
        metric: its name.
        rows: shape (segments, numbers); `value` takes sums over any choice of rows.
        value: sums, shape (samples, numbers) -> values of the metric, shape (samples,).
        higher_is_better: direction of the metric.
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

    if not rows:
        raise UserError(
            f"{metric.scale.name} has no statistics by segment, so systems cannot be tested by it: rank by another one."
        )
    return Statistics(
        metric.scale.name, np.array(rows, dtype=np.float64), metric.from_sums, metric.scale.higher_is_better
    )
