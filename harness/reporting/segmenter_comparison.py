"""Comparison of segmenters: coverage of a set's speech, and one system's translations of it."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from harness.core.errors import UserError
from harness.core.markdown import compact_table
from harness.evaluation.evaluate import SystemUnderTest
from harness.inference.generate import generate
from harness.inference.output_flags import flagged
from harness.reporting.leaderboard.columns import NO_REFERENCE, counted
from harness.scoring.score_store import score
from harness.segmentation import coverage_of, segment, segmenter_names
from harness.segmentation.coverage import Coverage
from harness.testsets.load import load_test_set
from harness.testsets.testset import TestSet


class SegmenterResult(msgspec.Struct, frozen=True, kw_only=True):
    """One set, segmented by one segmenter and translated by one system.

    Attributes:
        method: name of the segmenter.
        flags: number of translations with each flag.
        scores: by metric; empty where the set has no references.
    """

    system: str
    test_set: str
    direction: str
    method: str
    coverage: Coverage
    flags: dict[str, int]
    scores: dict[str, float]


def compare_segmenters(
    under_test: SystemUnderTest, names: Sequence[str], direction: str
) -> tuple[SegmenterResult, ...]:
    """Segment every named set with every segmenter, translate and score; what is stored already is read.

    The limits of the task hold for every segmenter; gold is left out where a set came unsegmented.

    Raises:
        UserError: a set or a segmenter's model is missing.
    """
    found = []
    for name in names:
        test_set = load_test_set(name, under_test.workdir)
        methods = [method for method in segmenter_names() if method != "gold" or test_set.gold is not None]
        found += [_measure(under_test, test_set, direction, method) for method in methods]
    return tuple(found)


def _measure(under_test: SystemUnderTest, test_set: TestSet, direction: str, method: str) -> SegmenterResult:
    segmentation = segment(test_set, under_test.task.segmenting.by(method), under_test.workdir, under_test.device)
    request = replace(under_test.request(test_set, direction), segmentation=segmentation)
    made = generate(request, under_test.workdir, under_test.engine)
    referenced = request.language_pair.target in test_set.references
    scores = score(made, test_set, under_test.workdir, under_test.task.scoring) if referenced else ()
    return SegmenterResult(
        system=made.system,
        test_set=test_set.name,
        direction=direction,
        method=method,
        coverage=coverage_of(test_set, segmentation, under_test.workdir),
        flags={str(flag): count for flag, count in flagged(made).counts.items()},
        scores={each.metric: each.value for each in scores},
    )


def render_markdown(rows: Sequence[SegmenterResult]) -> str:
    """Return the comparison as a table, one row per set and segmenter.

    Raises:
        UserError: there is nothing to show.
    """
    if not rows:
        raise UserError("No set was segmented: name a test set.")
    metrics = tuple(dict.fromkeys(metric for row in rows for metric in row.scores))
    head = ["set", "segmenter", "segments", "speech dropped", "split", "merged", "flags", *metrics]
    lines = [
        f"# Segmenters: `{rows[0].system}`, {rows[0].direction}",
        "",
        "Split and merged: of the gold sentences, or of the stretches of speech that silero-vad finds where a set came",
        f"unsegmented. {', '.join(metrics)} x 100 after re-segmentation; `-`: not measured.",
        "",
        *compact_table(head, [_row(row, metrics) for row in rows], {0, 1}),
    ]
    return "\n".join(lines) + "\n"


def _row(row: SegmenterResult, metrics: Sequence[str]) -> list[str]:
    share = row.coverage.dropped_share
    dropped = "no speech" if share is None else f"{100 * share:.2f} %"
    of = row.coverage.sentences
    absent = "-" if row.scores else NO_REFERENCE
    scores = [f"{row.scores[m]:.2f}" if m in row.scores else absent for m in metrics]
    split = f"{row.coverage.split} of {of}{'' if row.coverage.against == 'gold' else ' (silero)'}"
    merged = f"{row.coverage.merged} of {of}"
    return [row.test_set, row.method, str(row.coverage.segments), dropped, split, merged, counted(row.flags), *scores]
