"""A small board, made by hand, that every test of the leaderboard looks at."""

from harness.config.scoring import Scoring
from harness.config.task import Limit
from harness.reporting.leaderboard import Base, Leaderboard, Row, Section, SpeedSummary
from harness.scoring.metric import Score, get_metric

SCALES = tuple(get_metric(name, Scoring()).scale for name in ("BLEU", "chrF", "cross-entropy"))
BASE = Base("fp16-toy", 8_000_000_000)
SPEED = SpeedSummary(seconds_per_item=0.25, segments_per_second=12.5, peak_mib=2048.0, signature="cpu, 2 threads")


def make_row(
    system: str, size: int, bleu: float | None, speed: SpeedSummary | None = SPEED, direction: str = "en-de"
) -> Row:
    """Return a row whose scores and artifact are named after the system."""
    signature = f"gen:{direction}|artifact:{system}"
    scores = () if bleu is None else (
        Score("BLEU", bleu, "x 100", f"BLEU|tok:13a|{signature}", 150),
        Score("cross-entropy", 1 / bleu, "nats per token", f"cross-entropy|{signature}", 150),
    )  # fmt: skip
    return Row(
        system=system,
        role="finetuned",
        source="toy paper, table 1",
        artifact=f"id-of-{system}",
        bytes=size,
        weights_bytes=size - 1_000_000,
        fits=size < 4_000_000_000,
        base=BASE,
        scores=scores,
        speed=speed,
    )


def make_board(*sections: Section) -> Leaderboard:
    """Return a board with a strict limit of 4 GB."""
    return Leaderboard(
        task="toy",
        title="Toy task",
        limit=Limit(bytes=4_000_000_000, note="by hand"),
        sections=sections,
        metrics=SCALES,
    )


GERMAN = Section(
    "en-de",
    "toy-eval",
    (
        make_row("fp16-toy", 8_000_000_000, 30.0),
        make_row("eight", 5_000_000_000, 30.0),
        make_row("four", 3_500_000_000, 28.5),
        make_row("three", 3_000_000_000, None, speed=None),
    ),
)
CHINESE = Section(
    "en-zh",
    "toy-eval",
    (
        make_row("fp16-toy", 8_000_000_000, 40.0, direction="en-zh"),
        make_row("eight", 5_000_000_000, 40.5, direction="en-zh"),
        make_row("four", 3_500_000_000, 36.0, direction="en-zh"),
    ),
)
