"""harness.resegmentation: the words of the output are the words of the input, whatever they are."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.errors import NewerFormatError, UserError
from harness.core.files import write_json
from harness.resegmentation import Talk, get_resegmenter, resegment
from harness.resegmentation.resegmenter import Pieces, Resegmenter
from harness.resegmentation.text_mapping import cut, dense, join, prepare

MWERALIGN = get_resegmenter("mweralign")
WORDS = st.one_of(
    st.sampled_from(
        ["das", "Haus", "###", "a###b", "▁", "▁das", "@", "<unk>", "\x00", "\ufeff", "\u200b", "模型", "。"]
    ),
    st.text(min_size=1, max_size=4),
)
LINES = st.lists(
    st.lists(WORDS, max_size=5)
    .map(lambda words: st.sampled_from(["\t", " ", " ### "]).map(lambda s: s.join(words)))
    .flatmap(lambda s: s),
    min_size=1,
    max_size=4,
)
TALKS = st.lists(st.tuples(LINES, LINES), min_size=1, max_size=5)


@pytest.mark.parametrize("target", ["de", "zh"])
@given(made=TALKS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_word_is_lost_changed_or_added(made: list[tuple[list[str], list[str]]], target: str, tmp_path: Path) -> None:
    """Forbids that any text, with separators, control characters or empty lines, is changed."""
    talks = [Talk(f"{n}.wav", join(said, target), tuple(lines)) for n, (said, lines) in enumerate(made)]
    found = resegment(talks, MWERALIGN, target, tmp_path).lines
    assert len(found) == sum(len(talk.references) for talk in talks)
    start = 0
    for (said, _), talk in zip(made, talks, strict=True):
        lines = found[start : start + len(talk.references)]
        start += len(lines)
        if target == "de":
            assert " ".join(lines).split() == " ".join(said).split()
        assert dense("".join(lines)) == dense("".join(said))


def test_missing_talks_and_empty_lines(tmp_path: Path) -> None:
    """Forbids words for an empty talk or an empty reference, and that a talk without translation goes unreported."""
    talks = [
        Talk("a.wav", "", ("eins zwei", "drei")),
        Talk("b.wav", "eins zwei drei", ("eins zwei", "", "drei")),
        Talk("c.wav", "vier fünf", ("", "")),
        Talk("d.wav", "sechs", ("sieben",)),
    ]
    found = resegment(talks, MWERALIGN, "de", tmp_path)
    assert found.lines == ("", "", "eins zwei", "", "drei", "vier fünf", "", "sechs")
    assert [(finding.path, finding.rule) for finding in found.findings] == [("a.wav", "missing-talk")]
    assert found.identity.startswith("mweralign 1.")
    assert found.identity.endswith(" -m none")


@pytest.mark.parametrize(
    ("texts", "target", "joined"),
    [
        (["我们用 BERT", "GPT 模型"], "zh", "我们用 BERT GPT 模型"),
        (["大家好。", "", "谢谢。"], "zh", "大家好。谢谢。"),
        (["Guten\tTag.", " ", "Danke."], "de", "Guten Tag. Danke."),
    ],
)
def test_lines_are_joined_as_the_language_writes(texts: list[str], target: str, joined: str) -> None:
    """Forbids spaces between Chinese lines, and Latin words that run together."""
    assert join(texts, target) == joined


def test_separators_do_not_reach_the_tool() -> None:
    """Forbids characters that the tools take for borders between references, and a change of the text's length."""
    text = "eins ### zwei\tdrei ####vier \x00"
    assert "###" not in prepare(text)
    assert "\t" not in prepare(text)
    assert len(dense(prepare(text))) == len(dense(text))


@pytest.mark.parametrize("pieces", [["eins", "drei"], ["eins zwei drei", "vier"], ["eins zwei", "Drei"]])
def test_a_tool_that_changes_words_is_caught(pieces: list[str], tmp_path: Path) -> None:
    """Forbids scoring a text in which a tool dropped, added or changed a word."""
    with pytest.raises(ValueError, match="do not hold the text"):
        cut("eins zwei drei", pieces)

    def split(_talks: Sequence[Talk], _target: str) -> Pieces:
        return [pieces]

    broken = Resegmenter("broken", lambda _target: "broken 1", split)
    with pytest.raises(UserError, match="broken changed words of a"):
        resegment([Talk("a.wav", "eins zwei drei", ("eins", "zwei drei"))], broken, "de", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_cut_inside_a_word_is_caught(tmp_path: Path) -> None:
    """Forbids half words in a language that has spaces."""
    broken = Resegmenter("broken", lambda _target: "broken 1", lambda _talks, _target: [["eins zw", "ei drei"]])
    with pytest.raises(UserError, match="inside a word"):
        resegment([Talk("a.wav", "eins zwei drei", ("eins", "zwei drei"))], broken, "de", tmp_path)


def test_results_are_stored_by_content(tmp_path: Path) -> None:
    """Forbids running the tool twice for the same texts, one result for two tools, and reading a newer format."""
    calls: list[str] = []

    def tool(identity: str) -> Resegmenter:
        def split(talks: Sequence[Talk], _target: str) -> Pieces:
            calls.append(identity)
            return [[talk.text, *[""] * (len(talk.references) - 1)] for talk in talks]

        return Resegmenter("fake", lambda _target: identity, split)

    talks = [Talk("a.wav", "eins zwei", ("eins", "zwei"))]
    first = resegment(talks, tool("fake 1"), "de", tmp_path)
    assert resegment(talks, tool("fake 1"), "de", tmp_path) == first
    assert resegment(talks, tool("fake 2"), "de", tmp_path).identity == "fake 2"
    assert calls == ["fake 1", "fake 2"]
    for path in tmp_path.iterdir():
        write_json(path, {"format_version": 99})
    with pytest.raises(NewerFormatError, match="upgrade the harness"):
        resegment(talks, tool("fake 1"), "de", tmp_path)
