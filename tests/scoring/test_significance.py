"""Significance against sacrebleu's own tests, and clusters by hand."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest

from harness.config.scoring import Scoring
from harness.core.errors import UserError
from harness.scoring.metric import Metric as RegisteredMetric
from harness.scoring.metric import Scale, Texts, get_metric, mean_of_sums
from harness.scoring.significance import (
    Resampling,
    approximate_randomisation,
    clusters,
    interval,
    paired_bootstrap,
)
from harness.scoring.statistics import Statistics, statistics_of

WORDS = ("der", "die", "das", "ein", "Modell", "hört", "spricht", "misst", "Größe", "klein", "groß", "und", "heute")
CHOICE = random.Random(5)
REFERENCES = tuple(" ".join(CHOICE.choices(WORDS, k=9)) for _ in range(60))


def worse(share: float) -> tuple[str, ...]:
    """Return the references with a share of their words replaced."""
    return tuple(
        " ".join(CHOICE.choice(WORDS) if CHOICE.random() < share else word for word in line.split())
        for line in REFERENCES
    )


ONE, OTHER = worse(0.25), worse(0.29)
METRICS: dict[str, Metric] = {"BLEU": BLEU(tokenize="13a"), "chrF": CHRF(), "TER": TER()}


def statistics(lines: Sequence[str], metric: str) -> Statistics:
    """Return the statistics of German lines against the references."""
    texts = Texts(hypotheses=tuple(lines), references=REFERENCES, sources=None, target="de", made_by="")
    found = get_metric(metric, Scoring())
    return statistics_of(found, found.configure(Scoring(), metric).score(texts).statistics)


def mean_statistics(metric: str, values: tuple[float, ...]) -> Statistics:
    """Return the statistics of a metric that is the mean of one value per segment, where higher is better."""
    registered = RegisteredMetric(Scale(metric), lambda _settings, _name: pytest.fail("is not scored"), mean_of_sums)
    return statistics_of(registered, [(value, 1.0) for value in values])


@pytest.mark.parametrize("metric", ["BLEU", "chrF", "TER"])
@pytest.mark.parametrize("kind", ["bs", "ar"])
def test_p_values_are_sacrebleus(metric: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids another statistic, seed, sampling or p-value than sacrebleu's paired tests."""
    monkeypatch.setenv("SACREBLEU_SEED", "12345")
    named = [("other", list(OTHER)), ("one", list(ONE))]
    test = PairedTest(named, {metric: METRICS[metric]}, [list(REFERENCES)], test_type=kind, n_samples=400)
    theirs = next(results[1] for name, results in test()[1].items() if name.startswith(metric))
    chosen = Resampling(samples=400, trials=400)
    one, other = statistics(ONE, metric), statistics(OTHER, metric)
    ours = {
        "bs": lambda: paired_bootstrap([one], [other], chosen),
        "ar": lambda: approximate_randomisation(other, one, chosen),
    }[kind]()
    assert 0.003 < theirs.p_value < 1
    assert ours.p_value == theirs.p_value
    assert one.score == pytest.approx(theirs.score, abs=1e-9)


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=5), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_formulas_are_sacrebleus_for_any_counts(matches: list[list[int]], length: int) -> None:
    """Forbids a formula that differs for orders without match or without n-grams, or for empty hypotheses."""
    rows = [[4 - order for order in range(4)] for _ in matches]
    hits = [[min(m, t) for m, t in zip(match, total, strict=True)] for match, total in zip(matches, rows, strict=True)]
    sums = np.array([[4, length, *hit, *total] for hit, total in zip(hits, rows, strict=True)], dtype=float)
    sums[-1, 2 + 4 + 3] = sums[-1, 2 + 3] = 0
    bleu = statistics(ONE, "BLEU").value(sums)
    assert bleu == pytest.approx([METRICS["BLEU"]._compute_score_from_stats(list(row)).score for row in sums])
    grams = np.array([[4, length % 5, min(m, length % 5)] * 6 for m, *_ in matches], dtype=float)
    grams[:, 9:] = 0
    chrf = statistics(ONE, "chrF").value(grams)
    assert chrf == pytest.approx([METRICS["chrF"]._compute_score_from_stats(list(row)).score for row in grams])


def test_intervals_hold_the_value_and_repeat() -> None:
    """Forbids an interval without its value, one that changes from run to run, or one that more segments widen."""
    one, other = statistics(ONE, "BLEU"), statistics(OTHER, "BLEU")
    found = interval([one])
    assert found == interval([one])
    assert found.low < found.value == one.score < found.high
    both = interval([one, other])
    assert both.value == pytest.approx((one.score + other.score) / 2)
    assert both.low < both.value < both.high
    fourfold = Statistics("BLEU", np.tile(one.rows, (4, 1)), one.value)
    again = interval([fourfold])
    assert again.high - again.low < 0.7 * (found.high - found.low)


def test_interval_of_a_mean_is_the_normal_one() -> None:
    """Forbids a scale or level other than 95 %: the mean of 400 numbers has 1.96 standard errors to each side."""
    numbers = np.random.default_rng(1).normal(80, 10, 400)
    found = interval([mean_statistics("COMET", tuple(numbers))], Resampling(samples=4000))
    error = numbers.std() / 20
    assert found.value == pytest.approx(numbers.mean())
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.06)


def test_clusters_by_hand() -> None:
    """Forbids a line between systems that do not differ, and none between those that all do."""
    noise = np.random.default_rng(2).normal(0, 10, (4, 300))
    means = (70.0, 80.0, 69.9, 60.0)
    systems = [mean_statistics("COMET", tuple(mean + row - row.mean())) for mean, row in zip(means, noise, strict=True)]
    assert clusters(systems) == (2, 1, 2, 3)
    assert clusters(systems[:1]) == (1,)
    assert clusters([systems[0], systems[0]]) == (1, 1)
    assert clusters([]) == ()


def test_a_system_in_between_joins_its_neighbours() -> None:
    """Forbids a line above a system that one of those above does not beat: WMT's clusters are closed."""
    base = np.random.default_rng(3).normal(0, 10, (3, 200))
    rows = base - base.mean(axis=1, keepdims=True)
    top, middle, low = (mean_statistics("COMET", tuple(m + r)) for m, r in zip((80.0, 79.0, 77.5), rows, strict=True))
    assert paired_bootstrap([top], [low]).significant
    assert not paired_bootstrap([top], [middle]).significant
    assert not paired_bootstrap([middle], [low]).significant
    assert clusters([top, middle, low]) == (1, 1, 1)


def test_means_of_several_systems_are_compared() -> None:
    """Forbids a contrast of one system with the mean of several other than the difference of the means."""
    systems = [statistics(worse(share), "BLEU") for share in (0.1, 0.3, 0.35, 0.4)]
    found = paired_bootstrap(systems[:1], systems[1:])
    expected = systems[0].score - sum(system.score for system in systems[1:]) / 3
    assert found.difference.value == pytest.approx(expected)
    assert found.significant
    assert found.difference.low > 0


def test_only_like_is_compared_with_like() -> None:
    """Forbids a p-value between different test sets or metrics, or of nothing."""
    one = statistics(ONE, "BLEU")
    for other in (statistics(ONE, "chrF"), Statistics("BLEU", one.rows[:-1], one.value)):
        with pytest.raises(UserError, match="same metric and the same segments"):
            paired_bootstrap([one], [other])
    with pytest.raises(UserError, match="no system"):
        interval([])
    with pytest.raises(UserError, match="has no statistics by segment"):
        statistics_of(get_metric("BLEU", Scoring()), ())


def test_clusters_of_a_metric_where_lower_is_better() -> None:
    """Forbids that the worst system leads: the clusters are those of the negated values with the opposite direction."""
    noise = np.random.default_rng(4).normal(0, 10, (3, 300))
    means = (20.0, 50.0, 35.0)
    systems = [mean_statistics("TER", tuple(m + row - row.mean())) for m, row in zip(means, noise, strict=True)]
    assert clusters([replace(system, higher_is_better=False) for system in systems]) == (1, 3, 2)
    assert clusters(systems) == (3, 1, 2)
