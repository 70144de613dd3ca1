"""The data of the leaderboard: rows, sections, and the leaderboard as a whole."""

import msgspec

from harness.config.task import Limit
from harness.evaluation.speed_summary import SpeedSummary
from harness.reporting.leaderboard.frontier import Place, Point, places
from harness.scoring.metric import Scale, Score
from harness.scoring.significance import Interval


class Base(msgspec.Struct, frozen=True):
    """The 16-bit system of the same role, to which a size is compared."""

    system: str
    bytes: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One system in one direction on one test set.

    Attributes:
        role: which checkpoint the system compresses.
        source: where the paper describes the system.
        artifact: id of the artifact.
        bytes: byte sum of all files of the artifact.
        weights_bytes: byte sum of its weights only; None where only the whole size is known.
        fits: whether the size limit admits the system.
        base: the 16-bit system of the same role, or None where it was not built.
        cluster: systems of the same cluster do not differ significantly in the ranking metric; None when not tested.
        interval: of the ranking metric, by bootstrap; None when not computed.
        flags: number of suspicious translations, by the flag's name; None where none was checked.
        declared: whether the bytes are as declared by others, not measured here.
    """

    system: str
    role: str
    source: str
    artifact: str
    bytes: int
    weights_bytes: int | None
    fits: bool
    base: Base | None = None
    scores: tuple[Score, ...] = ()
    speed: SpeedSummary | None = None
    cluster: int | None = None
    interval: Interval | None = None
    flags: dict[str, int] | None = None
    declared: bool = False

    def score(self, metric: str) -> Score | None:
        """Return the score of a metric, or None when it was not measured."""
        return next((score for score in self.scores if score.metric == metric), None)

    def value(self, metric: str) -> float | None:
        """Return the number of a metric, or None when it was not measured."""
        score = self.score(metric)
        return None if score is None else score.value

    @property
    def ratio(self) -> float | None:
        """Bytes of the base divided by bytes of the system."""
        return None if self.base is None else self.base.bytes / self.bytes


class Section(msgspec.Struct, frozen=True):
    """The rows of one table.

    Attributes:
        direction: e.g. `en-de`; or `mean of en-de, en-zh`.
        rows: one per system, in any order.
        left_out: systems that were not evaluated in every direction of a mean.
    """

    direction: str
    test_set: str
    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`en-de on demo-eval`."""
        return f"{self.direction} on {self.test_set}"

    @property
    def has_references(self) -> bool:
        """Whether the set has references: an evaluation is without any score only where it has none."""
        return any(row.scores for row in self.rows)


class Leaderboard(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the leaderboard's files show.

    Attributes:
        task: name of the task profile.
        sections: one per direction and test set.
        metrics: the metrics with a column, in order; the first one that was measured ranks.
    """

    task: str
    title: str
    limit: Limit
    sections: tuple[Section, ...]
    metrics: tuple[Scale, ...]

    @property
    def quality(self) -> Scale:
        """The metric that ranks: the first that was measured of any system."""
        rows = [row for section in self.sections for row in section.rows]
        return next((scale for scale in self.metrics if any(row.score(scale.name) for row in rows)), self.metrics[0])

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics with a column."""
        return tuple(scale.name for scale in self.metrics)


class Standing(msgspec.Struct, frozen=True):
    """A row with its place among the rows of its table."""

    row: Row
    place: Place


def standings(section: Section, metric: Scale) -> tuple[Standing, ...]:
    """Return the rows of a table by rank; those without the metric come last, by size; ties by name.

    The definitions of rank, size rank and frontier are those of `harness.reporting.leaderboard.frontier`.
    """
    values = [(row.value(metric.name), row.bytes) for row in section.rows]
    found = places([Point(None if value is None else metric.quality(value), size) for value, size in values])
    return tuple(sorted(map(Standing, section.rows, found), key=_order))


def _order(standing: Standing) -> tuple[bool, int, str]:
    place = standing.place
    return place.rank is None, place.rank or place.size_rank, standing.row.system


def best_within_limit(section: Section, metric: Scale) -> Row | None:
    """Return the first-ranked row that keeps the limit, or None when no measured system does."""
    return next((s.row for s in standings(section, metric) if s.row.fits and s.place.rank is not None), None)
