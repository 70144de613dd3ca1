"""Scores of a set of hypotheses, stored by the content of everything that they are computed from."""

from harness.config.scoring import Scoring
from harness.core.files import key_of
from harness.core.progress import log_once
from harness.core.store import Store
from harness.core.workdir import WorkDir
from harness.inference.hypothesis import HypothesisSet
from harness.scoring.alignment import aligned, lines_of
from harness.scoring.metric import Need, NotMeasuredError, Score, Scored, Texts, get_metric
from harness.testsets.testset import TestSet

SCORES = Store("score", Scored, 3, "remove it and score again")


def score(
    made: HypothesisSet, test_set: TestSet, workdir: WorkDir, settings: Scoring | None = None
) -> tuple[Score, ...]:
    """Score the translations of a test set, or read the scores that are already stored.

    A metric that cannot be computed here (no COMET checkpoint, no source sentences) is left out, and the reason logged.

    Args:
        made: one hypothesis per segment, of gold or other segments.
        test_set: the translated set; must have references in the target language.
        workdir: scores are stored in its folder `scores`, by content key.
        settings: the task's metrics and the processing before them; by default BLEU and chrF.

    Raises:
        UserError: no references, hypotheses missing, an unknown metric, or a metric that fails.
    """
    chosen = settings or Scoring()
    texts = aligned(lines_of(made), test_set, workdir, chosen)
    return tuple(entry.score for entry in score_texts(texts, workdir, chosen))


def score_texts(texts: Texts, workdir: WorkDir, settings: Scoring) -> tuple[Scored, ...]:
    """Return all of the task's metrics of aligned texts; one that cannot be measured is left out and logged.

    Raises:
        UserError: an unknown metric, or one that fails.
    """
    found = []
    for metric in settings.metrics:
        try:
            found.append(score_one(texts, metric, workdir, settings))
        except NotMeasuredError as error:
            log_once(f"{metric} is not measured: {error}")
    return tuple(found)


def score_one(texts: Texts, metric: str, workdir: WorkDir, settings: Scoring) -> Scored:
    """Return one metric of aligned texts, computed or read.

    Raises:
        NotMeasuredError: it cannot be computed here.
        UserError: it is unknown, or fails.
    """
    found = get_metric(metric, settings)
    scorer = found.configure(settings, metric)
    if Need.SOURCE in found.needs and texts.sources is None:
        raise NotMeasuredError(
            f"the test set has no source sentences, and {metric} needs them: name a file with one per reference line "
            "in the task's [scoring.comet.sources]."
        )
    # The texts themselves would make every stored score as large as the hypotheses and references together.
    inputs = {"metric": metric, "identity": scorer.identity(texts.target), "texts": key_of(texts)}
    return SCORES.entry(workdir.scores, inputs, label=metric).get(lambda: scorer.score(texts))
