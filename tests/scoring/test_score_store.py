"""Scores of hypothesis sets, stored by content."""

from pathlib import Path

import msgspec
import pytest

from harness.config.scoring import Scoring
from harness.core.errors import NewerFormatError, UserError
from harness.core.files import read_json, write_json
from harness.core.workdir import WorkDir
from harness.inference.hypothesis import HypothesisSet
from harness.scoring.metric import Scored
from harness.scoring.score_store import SCORES, score
from tests.helpers.translations import make_hypotheses, make_test_set

REFERENCES = ("Das ist ein kleiner Satz.", "Und das ist noch einer.")
TEST_SET = make_test_set({"de": REFERENCES}, lines=2)
MADE = make_hypotheses(REFERENCES)
BLEU = Scoring(metrics=("BLEU",))


def test_signature_names_everything_that_changes_the_number(tmp_path: Path) -> None:
    """Forbids a score whose signature leaves out metric settings, resegmenter, post-processing, decoding or bytes."""
    bleu, chrf = score(MADE, TEST_SET, WorkDir(tmp_path))
    assert (bleu.metric, round(bleu.value, 6), bleu.segments, bleu.unit) == ("BLEU", 100.0, 2, "x 100")
    assert chrf.metric == "chrF"
    rest = f"post:none|reseg:gold|set:toy-eval@{TEST_SET.key[:12]}|gen:{MADE.signature}|artifact:{'a' * 64}"
    assert bleu.signature.startswith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert bleu.signature.endswith(rest)
    assert chrf.signature.endswith(rest)


def test_stored_scores_are_read_again(tmp_path: Path) -> None:
    """Forbids computing a score twice, and a second file for the same content."""
    workdir = WorkDir(tmp_path)
    first = score(MADE, TEST_SET, workdir, BLEU)
    (path,) = workdir.scores.iterdir()
    inputs = read_json(path)["inputs"]
    changed = Scored(msgspec.structs.replace(first[0], value=12.5))
    SCORES.entry(workdir.scores, inputs, label="BLEU").write(changed)
    assert score(MADE, TEST_SET, workdir, BLEU)[0].value == 12.5
    assert list(workdir.scores.iterdir()) == [path]


def test_other_content_has_another_key(tmp_path: Path) -> None:
    """Forbids giving one artifact the score of another, or one text the score of another."""
    workdir = WorkDir(tmp_path)
    score(MADE, TEST_SET, workdir, BLEU)
    score(make_hypotheses(REFERENCES, artifact="b" * 64), TEST_SET, workdir, BLEU)
    (worse,) = score(make_hypotheses((REFERENCES[0], "Nein.")), TEST_SET, workdir, BLEU)
    assert worse.value < 100
    assert len(list(workdir.scores.iterdir())) == 3


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (make_hypotheses(REFERENCES[:1]), "1 hypotheses for the 2 gold segments"),
        (make_hypotheses(REFERENCES, test_set="toy-dev"), "hypotheses of toy-dev, not of toy-eval"),
        (make_hypotheses(REFERENCES, direction="en-zh"), "no references in 'zh'"),
        (
            msgspec.structs.replace(MADE, hypotheses=MADE.hypotheses[::-1]),
            "toy4 are incomplete or out of order",
        ),
    ],
    ids=["short", "other-set", "no-reference", "other-order"],
)
def test_refuses_hypotheses_that_do_not_belong(made: HypothesisSet, sentence: str, tmp_path: Path) -> None:
    """Forbids a score from hypotheses that are short, of another set, without reference or out of order."""
    with pytest.raises(UserError, match=sentence):
        score(made, TEST_SET, WorkDir(tmp_path))
    assert not WorkDir(tmp_path).scores.exists()


def test_newer_and_broken_stores_are_refused(tmp_path: Path) -> None:
    """Forbids reading a stored score of a newer format, or of another shape."""
    workdir = WorkDir(tmp_path)
    score(MADE, TEST_SET, workdir, BLEU)
    (path,) = workdir.scores.iterdir()
    write_json(path, {"format_version": 3, "scored": {}})
    with pytest.raises(NewerFormatError, match="upgrade the harness"):
        score(MADE, TEST_SET, workdir, BLEU)
    write_json(path, {"format_version": 2, "scored": {"score": {"metric": "BLEU"}}})
    with pytest.raises(UserError, match=r"is not a stored score|remove it"):
        score(MADE, TEST_SET, workdir, BLEU)
