"""Metrics: their scales and scores, and the registry of metrics.

A new metric is one module in `harness/scoring/metrics/`, or in an installed package with an entry point of the group
`stcompress.metrics`. Most are a function of texts:

    @metric(Scale("TER", higher_is_better=False), identity=lambda target: library_version("sacrebleu"))
    def ter(texts: Texts) -> Scored: ...

A metric that depends on settings of the task registers a function that makes its scorer (`configured_metric`). Reports
take a metric's direction, unit, format and tests from its registration only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from harness.config.scoring import Scoring
from harness.core.errors import UserError
from harness.core.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[np.float64]"


class Scale(msgspec.Struct, frozen=True):
    """How the numbers of a metric are read.

    Attributes:
        name: of the metric, e.g. `BLEU`.
        unit: e.g. `x 100` or `nats per token`.
        form: format specification of printed values.
        short: header of narrow columns; by default the name.
        description: a few words for readers; by default the name.
    """

    name: str
    unit: str = "x 100"
    form: str = ".2f"
    higher_is_better: bool = True
    short: str = ""
    description: str = ""

    @property
    def better(self) -> str:
        """`higher` or `lower`, for sentences."""
        return "higher" if self.higher_is_better else "lower"

    def quality(self, value: float) -> float:
        """Return a number that is larger for better values."""
        return value if self.higher_is_better else -value


class Score(msgspec.Struct, frozen=True):
    """One number for one set of hypotheses.

    Attributes:
        metric: name of the metric.
        unit: as in the metric's `Scale`.
        signature: everything that changes the number: metric version and settings, resegmenter, post-processing,
            generation settings, artifact id.
        segments: number of scored segments.
    """

    metric: str
    value: float
    unit: str
    signature: str
    segments: int


class Scored(msgspec.Struct, frozen=True):
    """A score with the statistics that significance tests need.

    `statistics` has one row per segment; the metric's `from_sums` gives the value of any sample of segments from the
    sum of their rows. It is empty for a metric without such statistics, which cannot be tested.
    """

    score: Score
    statistics: tuple[tuple[float, ...], ...] = ()


class NotMeasuredError(UserError):
    """A metric cannot be computed here, for a reason that the user can change; other metrics still can."""


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """Aligned texts: line N of each belongs to line N of the others.

    Attributes:
        hypotheses: translations; a line may be empty where the model generated nothing.
        sources: transcripts, or None where the test set has none.
        target: ISO 639-1 code of the language of the translations.
        made_by: how the hypotheses were made: the second half of signatures.
    """

    hypotheses: tuple[str, ...]
    references: tuple[str, ...]
    sources: tuple[str, ...] | None
    target: str
    made_by: str

    def __post_init__(self) -> None:
        """Raise UserError when there is nothing to score, or the numbers of lines differ."""
        check_counts(len(self.hypotheses), len(self.references), "references")
        if self.sources is not None:
            check_counts(len(self.hypotheses), len(self.sources), "sources")


def check_counts(hypotheses: int, others: int, what: str) -> None:
    """Refuse to score hypotheses that are missing, too few or too many.

    Raises:
        UserError: there are no hypotheses, or not as many as references or sources.
    """
    if not hypotheses:
        raise UserError("There are no hypotheses to score: translate the test set first.")
    if hypotheses != others:
        raise UserError(
            f"There are {hypotheses} hypotheses for {others} {what}, and a score over some of them would mislead: "
            "translate the whole test set with the segmentation of its references."
        )


def describe_units(scales: Sequence[Scale]) -> str:
    """Return the units of metrics in one phrase, e.g. `BLEU and chrF x 100; TER x 100 (lower is better)`."""
    groups: dict[tuple[str, str], list[str]] = {}
    for scale in scales:
        direction = "" if scale.higher_is_better else " (lower is better)"
        unit = scale.unit if scale.unit.startswith("x ") else f"in {scale.unit}"
        groups.setdefault((unit, direction), []).append(scale.description or scale.name)
    listed = {group: " and ".join(filter(None, [", ".join(all_[:-1]), all_[-1]])) for group, all_ in groups.items()}
    return "; ".join(f"{names} {unit}{direction}" for (unit, direction), names in listed.items())


@dataclass(frozen=True)
class Scorer:
    """A configured metric.

    Attributes:
        identity: target language -> what the number depends on beside the texts (library version, checkpoint); part
            of the key of stored scores.
        score: a pure function of the texts.
    """

    identity: Callable[[str], str]
    score: Callable[[Texts], Scored]


class Need(StrEnum):
    """An input of a metric beside the hypotheses."""

    SOURCE = "source"
    REFERENCE = "reference"
    CHECKPOINT = "checkpoint"


def mean_of_sums(sums: "Array") -> "Array":
    """Return the means over segments, shape (samples,), of sums of the rows (value, 1), shape (samples, 2)."""
    return sums[:, 0] / sums[:, 1]


def mean_statistics(values: "tuple[float, ...]") -> tuple[tuple[float, ...], ...]:
    """Return the rows of a metric that is the mean of one value per segment, for `mean_of_sums`."""
    return tuple((value, 1.0) for value in values)


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    Attributes:
        configure: makes the scorer from the task's settings and the metric's name; raises NotMeasuredError when
            something that it needs is not on this machine.
        from_sums: sums of rows of statistics, shape (samples, numbers) -> values of the metric, shape (samples,).
    """

    scale: Scale
    configure: Callable[[Scoring, str], Scorer]
    from_sums: Callable[["Array"], "Array"] = mean_of_sums
    needs: frozenset[Need] = frozenset({Need.REFERENCE})


METRICS: Registry[Metric] = Registry("metric", "harness.scoring.metrics", "metrics")


def metric(
    scale: Scale, identity: Callable[[str], str], from_sums: Callable[["Array"], "Array"] = mean_of_sums
) -> Callable[[Callable[[Texts], Scored]], Callable[[Texts], Scored]]:
    """Register the decorated function of texts as a metric; see `Scorer` and `Metric` for the arguments."""

    def register(function: Callable[[Texts], Scored]) -> Callable[[Texts], Scored]:
        scorer = Scorer(identity, function)
        METRICS.add(scale.name, Metric(scale, lambda _settings, _name: scorer, from_sums), function.__module__)
        return function

    return register


def configured_metric(
    scale: Scale, needs: frozenset[Need], from_sums: Callable[["Array"], "Array"] = mean_of_sums
) -> Callable[[Callable[[Scoring, str], Scorer]], Callable[[Scoring, str], Scorer]]:
    """Register the decorated function, which makes a metric's scorer from the task's settings."""

    def register(function: Callable[[Scoring, str], Scorer]) -> Callable[[Scoring, str], Scorer]:
        METRICS.add(scale.name, Metric(scale, function, from_sums, needs), function.__module__)
        return function

    return register


def get_metric(name: str, settings: Scoring) -> Metric:
    """Return a metric by the name that the task uses for it.

    A name that the task gives to a further COMET checkpoint is the metric COMET with that checkpoint.

    Raises:
        UserError: there is no such metric.
    """
    if name not in settings.comets:
        return METRICS.get(name)
    if name in METRICS:
        raise UserError(f"[scoring.comets.{name}] has the name of another metric: rename the table.")
    base = METRICS.get("COMET")
    return replace(base, scale=msgspec.structs.replace(base.scale, name=name))


def library_version(library: str) -> str:
    """Return `<library> <version>`, e.g. `sacrebleu 2.6.0`, without importing it."""
    return f"{library} {version(library)}"
