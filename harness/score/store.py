"""Scores of a hypothesis set, stored under the content of everything that they are computed from."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.errors import UserError, check_format
from harness.files import key_of, read_json, write_json
from harness.hypothesis import HypothesisSet
from harness.score.base import Score, Scorer, Texts, get_scorer
from harness.testset import TestSet
from harness.workdir import WorkDir

FORMAT = 1
METRICS = ("BLEU", "chrF")
"""The metrics that need nothing but the texts."""
_POST_PROCESSING = "none"
_RESEGMENTER = "gold"


def score(
    made: HypothesisSet, test_set: TestSet, workdir: WorkDir, metrics: Sequence[str] = METRICS
) -> tuple[Score, ...]:
    """Score the translations of a test set's gold segments, or read the scores that are already stored.

    Args:
        made: one hypothesis per gold segment.
        test_set: the set that was translated; must have references in the target language.
        workdir: scores lie in its folder `scores`, by content key.
        metrics: names of registered scorers.

    Returns:
        one score per metric, in their order.

    Raises:
        UserError: no references, hypotheses missing or made from other segments, or an unknown metric.
    """
    texts = aligned(made, test_set)
    return tuple(_stored(get_scorer(metric), texts, workdir.scores) for metric in metrics)


def aligned(made: HypothesisSet, test_set: TestSet) -> Texts:
    """Pair hypotheses of gold segments with the references and sources of the same segments.

    Raises:
        UserError: another test set, no references in that language, or the segments are not the gold ones.
    """
    target = made.direction.rpartition("-")[2]
    if made.test_set != test_set.name:
        raise UserError(f"These are hypotheses of {made.test_set}, not of {test_set.name}: name the right test set.")
    if target not in test_set.references:
        raise UserError(f"{test_set.name} has no references in {target!r}: it can be translated but not scored.")
    _check_segments(made, test_set)
    return Texts(
        hypotheses=tuple(hypothesis.text for hypothesis in made.hypotheses),
        references=test_set.references[target],
        sources=test_set.source,
        target=target,
        made_by=made_by(made, test_set),
    )


def made_by(made: HypothesisSet, test_set: TestSet) -> str:
    """Return the half of a signature that says how the hypotheses were made and on what."""
    return (
        f"post:{_POST_PROCESSING}|reseg:{_RESEGMENTER}|set:{test_set.name}@{test_set.key[:12]}"
        f"|gen:{made.signature}|artifact:{made.artifact}"
    )


def _check_segments(made: HypothesisSet, test_set: TestSet) -> None:
    gold = test_set.gold.segments if test_set.gold else ()
    if len(made.hypotheses) != len(gold):
        raise UserError(
            f"{made.system} has {len(made.hypotheses)} hypotheses for the {len(gold)} gold segments of "
            f"{test_set.name}: translate its gold segmentation completely, then score again."
        )
    for position, (hypothesis, segment) in enumerate(zip(made.hypotheses, gold, strict=True)):
        if hypothesis.index != position or hypothesis.segment != segment:
            raise UserError(
                f"Hypothesis {position} of {made.system} is not of gold segment {position} of {test_set.name}: "
                "translate its gold segmentation, then score again."
            )


def _stored(scorer: Scorer, texts: Texts, folder: Path) -> Score:
    key = key_of({"verb": "score", "format": FORMAT, "identity": scorer.identity(texts.target), "texts": texts})
    path = folder / f"{scorer.metric}-{key}.json"
    if path.exists():
        return read_score(path)
    result = scorer.score(texts)
    write_json(path, {"format_version": FORMAT, "score": result})
    return result


def read_score(path: Path) -> Score:
    """Read a stored score.

    Raises:
        UserError: unreadable, not a score, or written by a newer version.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise UserError(f"{path} is not a stored score: delete it and score again.")
    check_format(str(path), value.get("format_version"), FORMAT)
    try:
        return msgspec.convert(value.get("score"), Score)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} is not a stored score ({error}): delete it and score again.") from error
