"""Cross-entropy of the references: measured with the model (`harness.evaluation`), reported like every metric."""

from harness.config.scoring import Scoring
from harness.core.errors import UserError
from harness.scoring.metric import Need, Scale, Scorer, configured_metric

CROSS_ENTROPY = "cross-entropy"


@configured_metric(
    Scale(
        CROSS_ENTROPY,
        "nats per token",
        ".4f",
        higher_is_better=False,
        short="nats/token",
        description="cross-entropy of the references",
    ),
    frozenset({Need.REFERENCE, Need.CHECKPOINT}),
)
def cross_entropy(_settings: Scoring, name: str) -> Scorer:
    """Refuse to compute it from texts; its statistics are the nats and the tokens of every segment.

    Raises:
        UserError: always.
    """
    raise UserError(
        f"{name} is measured with the model where the gold segments are translated: remove it from the task's metrics."
    )
