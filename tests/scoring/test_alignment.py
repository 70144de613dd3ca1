"""From hypotheses of any segmentation to texts beside the references."""

from pathlib import Path

import msgspec
import pytest

from harness.config.scoring import Comet, Scoring
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.inference.hypothesis import HypothesisSet
from harness.scoring.alignment import aligned, lines_of, made_by
from harness.scoring.score_store import score
from harness.testsets.segments import Segment
from tests.helpers.translations import make_hypotheses, make_test_set

REFERENCES = ("Das ist ein kleiner Satz.", "Und das ist noch einer.", "Vielen Dank.")
TEST_SET = make_test_set({"de": REFERENCES}, lines=3)


def cut_elsewhere(*texts: str, wav: str = "talk.wav") -> HypothesisSet:
    """Return hypotheses of segments that are not the gold ones."""
    made = make_hypotheses(texts)
    rows = tuple(
        msgspec.structs.replace(row, segment=Segment(wav, 1.3 * row.index, 1.3), text=row.text)
        for row in made.hypotheses
    )
    return msgspec.structs.replace(made, hypotheses=rows)


def test_other_segments_are_cut_along_the_references(workdir: WorkDir) -> None:
    """Forbids scoring lines against references that they do not belong to, and a signature without the resegmenter."""
    made = cut_elsewhere("Das ist ein", "kleiner Satz. Und das ist noch einer. Vielen", "", "Dank.")
    texts = aligned(lines_of(made), TEST_SET, workdir, Scoring())
    assert texts.hypotheses == REFERENCES
    assert texts.made_by.startswith("post:none|reseg:mweralign 1.")
    assert texts.made_by == made_by(made, TEST_SET)
    assert score(made, TEST_SET, workdir)[0].value == pytest.approx(100)


def test_gold_segments_are_not_cut(workdir: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids re-segmenting what stands on gold segments: it would move words of a bad translation to neighbours."""
    monkeypatch.setenv("HARNESS_MWERALIGN", "/nowhere")
    made = make_hypotheses(("Und das ist noch einer.", "Das ist ein kleiner Satz.", ""))
    texts = aligned(lines_of(made), TEST_SET, workdir, Scoring())
    assert texts.hypotheses == tuple(row.text for row in made.hypotheses)
    assert "|reseg:gold|" in texts.made_by


def test_a_recording_without_translation_is_told(workdir: WorkDir, capsys: pytest.CaptureFixture[str]) -> None:
    """Forbids silence about a recording that nobody translated, and words from nowhere."""
    texts = aligned(lines_of(cut_elsewhere("", " ")), TEST_SET, workdir, Scoring())
    assert texts.hypotheses == ("", "", "")
    assert "missing-talk" in capsys.readouterr().err


def test_a_recording_without_references_is_refused(workdir: WorkDir) -> None:
    """Forbids dropping the translation of a recording that the test set does not know."""
    with pytest.raises(UserError, match=r"no references of other\.wav"):
        aligned(lines_of(cut_elsewhere("eins", wav="other.wav")), TEST_SET, workdir, Scoring())


def test_post_processing_is_declared(workdir: WorkDir) -> None:
    """Forbids cleaned texts under the signature of plain ones."""
    chinese = make_test_set({"zh": ("模型很小。",)}, lines=1)
    made = make_hypotheses(("这个演讲的中文翻译是: '模型很小。'",), direction="en-zh")
    plain = aligned(lines_of(made), chinese, workdir, Scoring())
    clean = aligned(lines_of(made), chinese, workdir, Scoring().with_postprocess("strip-meta"))
    assert clean.hypotheses == ("模型很小。",) != plain.hypotheses
    assert (plain.made_by[:9], clean.made_by[:17]) == ("post:none", "post:strip-meta-1")


def test_sources_may_come_from_a_named_file(workdir: WorkDir, tmp_path: Path) -> None:
    """Forbids sources that do not line up with the references, and a file in place of the set's own transcripts."""
    path = tmp_path / "sources.txt"
    settings = Scoring(comet=Comet(sources={TEST_SET.name: str(path)}))
    path.write_text("This is a small sentence.\nAnd this is another.\nThank you.\n")
    lines = lines_of(make_hypotheses(REFERENCES))
    assert aligned(lines, TEST_SET, workdir, settings).sources == (
        "This is a small sentence.", "And this is another.", "Thank you.",
    )  # fmt: skip
    path.write_text("Thank you.\n")
    with pytest.raises(UserError, match="3 hypotheses for 1 sources"):
        aligned(lines, TEST_SET, workdir, settings)
    path.unlink()
    with pytest.raises(UserError, match="Cannot read"):
        aligned(lines, TEST_SET, workdir, settings)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"trusted_sha256": "abc"}, "64 hex digits"),
        ({"precision": "int8"}, "'int8'"),
        ({"model": "x"}, "unknown field `model`"),
    ],
)
def test_settings_that_make_no_sense_are_refused(value: dict[str, object], sentence: str) -> None:
    """Forbids a misspelt or impossible setting that shows itself only after hours, or never."""
    with pytest.raises(msgspec.ValidationError, match=sentence):
        msgspec.convert(value, Comet)
