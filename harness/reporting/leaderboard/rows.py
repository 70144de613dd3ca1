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
        system: its registered name.
        role: which checkpoint it compresses.
        source: where the paper describes it.
        artifact: id of the artifact.
        bytes: byte sum of all files of the artifact.
        weights_bytes: byte sum of its weights only; None where only the whole size is known.
        fits: the verdict of the size check.
        base: the 16-bit system of the same role, or None where it was not built.
        scores: at most one per metric.
        speed: None when nothing was measured.
        cluster: systems of the same cluster do not differ significantly in the metric that ranks; None when not tested.
        interval: of the metric that ranks, by bootstrap; None when not computed.
        flags: how many translations are suspicious, by the flag's name; None where nobody looked.
        declared: whether the bytes are what somebody else declares, not measured here.
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
        """How many times smaller than its base the system is: bytes of the base by bytes of the system."""
        return None if self.base is None else self.base.bytes / self.bytes


class Section(msgspec.Struct, frozen=True):
    """The rows of one table.

    Attributes:
        direction: e.g. `en-de`; or `mean of en-de, en-zh`.
        test_set: name of the test set.
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
        title: the profile's title.
        limit: the size limit that the verdicts are about.
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
    found = places([Point(_quality(row, metric), row.bytes) for row in section.rows])
    ranked = [Standing(row, place) for row, place in zip(section.rows, found, strict=True)]
    return tuple(sorted(ranked, key=_order))


def _quality(row: Row, metric: Scale) -> float | None:
    value = row.value(metric.name)
    return None if value is None else metric.quality(value)


def _order(standing: Standing) -> tuple[bool, int, str]:
    place = standing.place
    return place.rank is None, place.rank or place.size_rank, standing.row.system


def best_within_limit(section: Section, metric: Scale) -> Row | None:
    """Return the first-ranked row that keeps the limit, or None when no measured system does."""
    ranked = standings(section, metric)
    return next((s.row for s in ranked if s.row.fits and s.place.rank is not None), None)
