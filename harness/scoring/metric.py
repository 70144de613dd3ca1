"""Scores: numbers that carry their signature, and what a scorer is.

A new metric is one module in this folder, named in `_MODULES`: a function from texts to a score, registered with
what else its number depends on.

    @scorer("TER", identity=lambda target: library_version("sacrebleu"))
    def ter(texts: Texts) -> Scored: ...

One that needs settings of the task registers a function that makes the scorer from them (`configured_scorer`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

import msgspec

from harness.config.scoring import Scoring
from harness.core.errors import UserError


class Score(msgspec.Struct, frozen=True):
    """One number for one hypothesis set.

    Attributes:
        metric: `BLEU`, `chrF`, `COMET` or `cross-entropy`.
        value: on the scale that `unit` names.
        unit: `x 100` for BLEU, chrF and COMET; `nats per token` for cross-entropy.
        signature: everything that changes the number: metric version and settings, resegmenter, post-processing,
            generation settings, artifact id.
        segments: how many segments it is computed over.
    """

    metric: str
    value: float
    unit: str
    signature: str
    segments: int


class Scored(msgspec.Struct, frozen=True):
    """A score and, where it is a mean over segments, what it is the mean of.

    Attributes:
        score: the number for the whole set.
        by_segment: one number per segment on the score's scale; empty for corpus metrics such as BLEU and chrF.
    """

    score: Score
    by_segment: tuple[float, ...] = ()


class NotMeasuredError(UserError):
    """A metric that cannot be computed here, for a reason the user can mend; the others still can."""


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """Aligned texts, line N of one belonging to line N of the others.

    Attributes:
        hypotheses: translations; a single one may be empty when the model said nothing.
        references: reference translations.
        sources: transcripts, or None where the test set has none.
        target: ISO 639-1 code of the translations' language.
        made_by: how the hypotheses were made, as the second half of the signature.
    """

    hypotheses: tuple[str, ...]
    references: tuple[str, ...]
    sources: tuple[str, ...] | None
    target: str
    made_by: str

    def __post_init__(self) -> None:
        """Refuse texts that do not belong together.

        Raises:
            UserError: nothing to score, or the numbers of lines differ.
        """
        check_counts(len(self.hypotheses), len(self.references), "references")
        if self.sources is not None:
            check_counts(len(self.hypotheses), len(self.sources), "sources")


def check_counts(hypotheses: int, others: int, what: str) -> None:
    """Refuse to score a set of hypotheses that is missing, short or too long.

    Raises:
        UserError: no hypotheses, or not as many as references or sources.
    """
    if not hypotheses:
        raise UserError("There are no hypotheses to score: translate the test set first.")
    if hypotheses != others:
        raise UserError(
            f"There are {hypotheses} hypotheses for {others} {what}, and a score over some of them would mislead: "
            "translate the whole test set with the segmentation of its references."
        )


@dataclass(frozen=True)
class Scorer:
    """A registered metric.

    Attributes:
        metric: its name, e.g. `BLEU`.
        identity: target language -> what the number depends on beside the texts (library version, checkpoint); it
            enters the key under which scores are stored.
        score: computes the number; a pure function of the texts.
    """

    metric: str
    identity: Callable[[str], str]
    score: Callable[[Texts], Scored]


Factory = Callable[[Scoring], Scorer]
"""Makes a scorer from the task's settings. Raises NotMeasuredError when what it needs is not there."""

_MODULES = ("bleu", "chrf", "comet")
_FACTORIES: dict[str, Factory] = {}


def scorer(metric: str, identity: Callable[[str], str]) -> Callable[[Callable[[Texts], Scored]], Scorer]:
    """Register the decorated function as the scorer of `metric`."""

    def register(function: Callable[[Texts], Scored]) -> Scorer:
        made = Scorer(metric, identity, function)
        configured_scorer(metric)(lambda _settings: made)
        return made

    return register


def configured_scorer(metric: str) -> Callable[[Factory], Factory]:
    """Register the decorated function as what makes the scorer of `metric` from the task's settings."""

    def register(factory: Factory) -> Factory:
        if metric in _FACTORIES:
            raise ValueError(f"metric {metric!r} is registered twice")
        _FACTORIES[metric] = factory
        return factory

    return register


def get_scorer(metric: str, settings: Scoring) -> Scorer:
    """Return a scorer by the metric's name, as the task wants it.

    Raises:
        UserError: there is none.
        NotMeasuredError: there is one, but what it needs is not on this machine.
    """
    for module in _MODULES:
        import_module(f"harness.scoring.{module}")
    if metric not in _FACTORIES:
        raise UserError(f"No scorer is named {metric!r}: there are {', '.join(sorted(_FACTORIES))}.")
    return _FACTORIES[metric](settings)


def library_version(library: str) -> str:
    """Return `<library> <version>`, e.g. `sacrebleu 2.6.0`, without importing it."""
    return f"{library} {version(library)}"
