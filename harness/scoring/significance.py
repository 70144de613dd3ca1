"""Significance tests of differences between systems.

- *Paired bootstrap* (Koehn, 2004): segments of the test set are drawn with replacement; how often is the
  difference as far from its mean as the observed difference is from zero?
- *Approximate randomisation* (Riezler and Maxwell, 2005): the two systems exchange segments at random; how often is
  the difference as large as the observed one?
- *Clusters* as in WMT: two ranks are in different clusters when every system above is significantly better than every
  system below.

Definitions, number of samples and seed are sacrebleu's, so that its command line gives the same p-values, except for
two systems without any difference, which are never called different here (p = 1; there 1 / (samples + 1)).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from harness.core.errors import UserError
from harness.scoring.metric import Array
from harness.scoring.statistics import Statistics

ALPHA = 0.05  # a difference with a p-value below this is significant


@dataclass(frozen=True)
class Resampling:
    """Settings of resampling.

    Attributes:
        samples: resamples of the bootstrap.
        trials: exchanges of approximate randomisation.
        seed: of numpy's default generator.
        level: of intervals.
    """

    samples: int = 1000
    trials: int = 10_000
    seed: int = 12345
    level: float = 0.95


DEFAULT = Resampling()


class Interval(msgspec.Struct, frozen=True):
    """A value over the whole test set with its bootstrap percentile interval, on the metric's scale."""

    value: float
    low: float
    high: float


class Comparison(msgspec.Struct, frozen=True):
    """One system, or a mean of several, against another.

    Attributes:
        difference: the first's metric minus the second's, with its bootstrap interval.
        p_value: chance of a difference at least as large when there is none.
    """

    difference: Interval
    p_value: float

    @property
    def significant(self) -> bool:
        """Whether the difference is significant at 0.05."""
        return self.p_value < ALPHA


def interval(systems: Sequence[Statistics], resampling: Resampling = DEFAULT) -> Interval:
    """Return the bootstrap interval of one system's metric, or of the unweighted mean of several.

    All systems use the same resampled test sets, so that what they share does not widen the interval of a mean.

    Raises:
        UserError: no system, or systems of different segments.
    """
    _check(systems)
    return _interval(_value(systems), _resampled(systems, resampling), resampling)


def paired_bootstrap(
    ones: Sequence[Statistics], others: Sequence[Statistics], resampling: Resampling = DEFAULT
) -> Comparison:
    """Compare a system, or the mean of several, with another, or another mean, on the same resampled test sets.

    Raises:
        UserError: no system, or systems of different segments.
    """
    _check([*ones, *others])
    found = _value(ones) - _value(others)
    sampled = _resampled(ones, resampling) - _resampled(others, resampling)
    return Comparison(_interval(found, sampled, resampling), _bootstrap_p(sampled, found))


def approximate_randomisation(one: Statistics, other: Statistics, resampling: Resampling = DEFAULT) -> Comparison:
    """Compare two systems by exchanging their segments at random; the interval is the bootstrap's.

    Raises:
        UserError: systems of different segments.
    """
    import numpy as np

    _check([one, other])
    found = one.score - other.score
    kept = np.random.default_rng(resampling.seed).integers(2, size=(resampling.trials, len(one.rows)), dtype=bool)
    stay, both = kept.astype(np.float64), one.rows.sum(axis=0) + other.rows.sum(axis=0)
    mixed = stay @ one.rows + (1 - stay) @ other.rows
    trials = np.abs(one.value(mixed) - one.value(both - mixed))
    sampled = _resampled([one], resampling) - _resampled([other], resampling)
    return Comparison(_interval(found, sampled, resampling), _p_value(trials, found))


def clusters(systems: Sequence[Statistics], resampling: Resampling = DEFAULT) -> tuple[int, ...]:
    """Return each system's cluster, 1 for the best, by paired bootstrap at 0.05, as defined in this module.

    Raises:
        UserError: systems of different segments.
    """
    if not systems:
        return ()
    _check(systems)
    values = [system.score for system in systems]
    sign = -1 if systems[0].higher_is_better else 1
    order = sorted(range(len(systems)), key=lambda index: sign * values[index])
    ranked = [(values[index], _resampled([systems[index]], resampling)) for index in order]
    found = [0] * len(systems)
    cluster, first = 1, 0
    for place, index in enumerate(order):
        # Systems of the clusters above are better than all of these already.
        if place > first and _all_better(ranked[first:place], ranked[place:]):
            cluster, first = cluster + 1, place
        found[index] = cluster
    return tuple(found)


def _all_better(ones: Sequence[tuple[float, Array]], others: Sequence[tuple[float, Array]]) -> bool:
    """Whether every one differs significantly from every other; each has its score and its resampled scores."""
    return all(
        _bootstrap_p(sampled - other_sampled, score - other_score) < ALPHA
        for score, sampled in ones
        for other_score, other_sampled in others
    )


def _check(systems: Sequence[Statistics]) -> None:
    if not systems:
        raise UserError("There is no system to compare: evaluate at least one with `harness run --stage evaluate`.")
    if len({(system.metric, len(system.rows)) for system in systems}) > 1:
        raise UserError("Only systems with the same metric and the same segments can be compared: score one test set.")


def _value(systems: Sequence[Statistics]) -> float:
    return sum(system.score for system in systems) / len(systems)


def _resampled(systems: Sequence[Statistics], resampling: Resampling) -> "Array":
    """Return the metric on every resampled test set, averaged over the systems."""
    import numpy as np

    _check(systems)
    drawn = _drawn(len(systems[0].rows), resampling)
    every = np.stack([system.value(drawn @ system.rows) for system in systems])
    return np.asarray(every.mean(axis=0), dtype=np.float64)


def _drawn(segments: int, resampling: Resampling) -> "Array":
    """Return how often each segment is in each resampled test set: array [samples, segments]."""
    import numpy as np

    chosen = np.random.default_rng(resampling.seed).choice(segments, size=(resampling.samples, segments), replace=True)
    flat = chosen + segments * np.arange(resampling.samples)[:, None]
    counts = np.bincount(flat.ravel(), minlength=segments * resampling.samples)
    return counts.reshape(resampling.samples, segments).astype(np.float64)


def _bootstrap_p(sampled: "Array", found: float) -> float:
    """Return sacrebleu's p-value: how often the absolute difference exceeds its mean by more than the observed one."""
    import numpy as np

    distances = np.abs(sampled)
    return _p_value(distances - distances.mean(), found)


def _p_value(by_chance: "Array", found: float) -> float:
    """Return how often chance exceeded the observed value; one is added to both counts, so that none is 0."""
    return float((by_chance > abs(found)).sum() + 1) / (len(by_chance) + 1) if found else 1.0


def _interval(found: float, sampled: "Array", resampling: Resampling) -> Interval:
    import numpy as np

    low, high = np.quantile(sampled, [(1 - resampling.level) / 2, (1 + resampling.level) / 2])
    return Interval(found, float(low), float(high))
