"""Scores of a hypothesis set, stored under the content of everything that they are computed from."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.config.scoring import Scoring
from harness.core.errors import UserError, check_format
from harness.core.files import key_of, read_json, write_json
from harness.core.progress import log_once
from harness.core.workdir import WorkDir
from harness.inference.hypothesis import HypothesisSet
from harness.scoring.alignment import aligned, lines_of, made_by
from harness.scoring.metric import NotMeasuredError, Score, Scored, Scorer, Texts, get_scorer
from harness.testsets.testset import TestSet

__all__ = ["FORMAT", "made_by", "read_score", "score", "score_one", "score_texts", "scored"]

FORMAT = 2


def score(
    made: HypothesisSet, test_set: TestSet, workdir: WorkDir, settings: Scoring | None = None
) -> tuple[Score, ...]:
    """Score the translations of a test set, or read the scores that are already stored.

    A metric that cannot be computed here (no COMET checkpoint, no source sentences) is left out, and stderr says why.

    Args:
        made: one hypothesis per segment, gold or not.
        test_set: the set that was translated; must have references in the target language.
        workdir: scores lie in its folder `scores`, by content key.
        settings: the task's metrics and what comes before them; by default BLEU and chrF.

    Returns:
        one score per metric, in their order.

    Raises:
        UserError: no references, hypotheses missing, an unknown metric, or a metric that fails.
    """
    chosen = settings or Scoring()
    texts = aligned(lines_of(made), test_set, workdir, chosen)
    return score_texts(texts, workdir, chosen)


def score_texts(texts: Texts, workdir: WorkDir, settings: Scoring) -> tuple[Score, ...]:
    """Return all of the task's metrics of aligned texts; what cannot be measured here is left out, and stderr says why.

    Raises:
        UserError: an unknown metric, or one that fails.
    """
    return tuple(entry.score for entry in _measured(texts, workdir, settings))


def score_one(texts: Texts, metric: str, workdir: WorkDir, settings: Scoring) -> Scored:
    """Return one metric of aligned texts with its numbers by segment, computed or read.

    Raises:
        NotMeasuredError: it cannot be computed here.
        UserError: it is unknown, or fails.
    """
    return scored(get_scorer(metric, settings), texts, workdir)


def _measured(texts: Texts, workdir: WorkDir, settings: Scoring) -> Iterator[Scored]:
    for metric in settings.metrics:
        try:
            yield score_one(texts, metric, workdir, settings)
        except NotMeasuredError as error:
            log_once(f"{metric} is not measured: {error}")


def scored(scorer: Scorer, texts: Texts, workdir: WorkDir) -> Scored:
    """Return what a scorer says of aligned texts, computed or read."""
    key = key_of({"verb": "score", "format": FORMAT, "identity": scorer.identity(texts.target), "texts": texts})
    path = workdir.scores / f"{scorer.metric}-{key}.json"
    if path.exists():
        return read_score(path)
    result = scorer.score(texts)
    write_json(path, {"format_version": FORMAT, "scored": result})
    return result


def read_score(path: Path) -> Scored:
    """Read a stored score.

    Raises:
        UserError: unreadable, not a score, or written by a newer version.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path} is not a stored score: delete it and score again.")
    check_format(str(path), value.get("format_version"), FORMAT)
    try:
        return msgspec.convert(value.get("scored"), Scored)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} is not a stored score ({error}): delete it and score again.") from error
