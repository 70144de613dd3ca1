"""Scores: numbers that carry their signature, and what a scorer is.

A new metric is one module in this folder, named in `_MODULES`: a function from texts to a score, registered with
what else its number depends on.

    @scorer("TER", identity=lambda target: library_version("sacrebleu"))
    def ter(texts: Texts) -> Score: ...
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

import msgspec

from harness.errors import UserError


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
    score: Callable[[Texts], Score]


_MODULES = ("bleu", "chrf")
_SCORERS: dict[str, Scorer] = {}


def scorer(metric: str, identity: Callable[[str], str]) -> Callable[[Callable[[Texts], Score]], Scorer]:
    """Register the decorated function as the scorer of `metric`."""

    def register(function: Callable[[Texts], Score]) -> Scorer:
        if metric in _SCORERS:
            raise ValueError(f"metric {metric!r} is registered twice")
        _SCORERS[metric] = Scorer(metric, identity, function)
        return _SCORERS[metric]

    return register


def get_scorer(metric: str) -> Scorer:
    """Return a scorer by the metric's name.

    Raises:
        UserError: there is none.
    """
    for module in _MODULES:
        import_module(f"harness.score.{module}")
    if metric not in _SCORERS:
        raise UserError(f"No scorer is named {metric!r}: there are {', '.join(sorted(_SCORERS))}.")
    return _SCORERS[metric]


def library_version(library: str) -> str:
    """Return `<library> <version>`, e.g. `sacrebleu 2.6.0`, without importing it."""
    return f"{library} {version(library)}"
