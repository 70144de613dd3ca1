"""harness.reporting.segmenter_comparison: on a tiny set, against the verbs that it is made of, and by hand."""

from pathlib import Path

import pytest

from harness.calibration.system_artifacts import find_artifact
from harness.compression.build import build
from harness.compression.plan import resolve
from harness.compression.recipe import Recipe
from harness.core.errors import UserError
from harness.evaluation.evaluate import SystemUnderTest
from harness.inference.load import engine_loader
from harness.reporting.segmenter_comparison import SegmenterResult, compare_segmenters, render_markdown
from harness.segmentation.coverage import Coverage, Lengths
from tests.helpers.contexts import tiny_context


def hand_row(method: str, scores: dict[str, float]) -> SegmenterResult:
    """A row with round numbers."""
    cut = Coverage(
        test_set="s", method=method, against="gold", speech_seconds=50.0, dropped_seconds=1.0, outside_seconds=2.0,
        sentences=20, split=3, merged=4, lost=0, segments=18, lengths=Lengths(1.0, 2.0, 2.5, 5.5),
    )  # fmt: skip
    return SegmenterResult(
        system="x",
        test_set="s",
        direction="en-de",
        method=method,
        coverage=cut,
        flags={"cut": 2, "blank": 0},
        scores=scores,
    )


def test_a_row_shows_coverage_flags_and_quality() -> None:
    """Forbids a table that hides what was dropped or flagged, and a 0 where there is no reference."""
    text = render_markdown([hand_row("shas", {"BLEU": 61.25}), hand_row("fixed", {})])
    assert "| s | shas | 18 | 2.00 % | 3 of 20 | 4 of 20 | 2 cut | 61.25 |" in text
    assert "| s | fixed | 18 | 2.00 % | 3 of 20 | 4 of 20 | 2 cut | no reference |" in text
    with pytest.raises(UserError, match="name a test set"):
        render_markdown([])


def test_gold_and_fixed_windows_are_measured_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids a comparison in which gold drops speech, or fixed windows are longer than the model hears."""
    monkeypatch.setattr("harness.reporting.segmenter_comparison.segmenter_names", lambda: ("gold", "fixed"))
    context = tiny_context(tmp_path)
    plan = resolve("fp16-finetuned", Recipe(), context.checkpoint.specs)
    build(context.checkpoint, plan, "finetuned", context.workdir)
    task = context.task
    artifact = find_artifact(task, "fp16-finetuned", context.workdir)
    segmenting = task.segmenting.by("gold")
    import msgspec

    short = msgspec.structs.replace(task, segmentation=msgspec.structs.replace(segmenting, window=2.0, max_seconds=1.5))
    under_test = SystemUnderTest(short, artifact, engine_loader(artifact), "cpu", context.workdir)
    gold, fixed = compare_segmenters(under_test, task.test_sets["en-de"], "en-de")
    assert gold.coverage.dropped_seconds == 0
    assert fixed.coverage.lengths.longest <= 1.5
    assert set(gold.scores) == {"BLEU", "chrF"}
