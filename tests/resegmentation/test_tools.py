"""The resegmenters' commands: how they are found and called, and how their failures are reported."""

import os
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.core import registry
from harness.core.errors import UserError
from harness.core.registry import Registry
from harness.resegmentation import Resegmenter, Talk, get_resegmenter, resegment

TALKS = [Talk("a.wav", "eins zwei drei vier", ("eins zwei", "drei vier")), Talk("b.wav", "ja nein", ("ja", "nein"))]
SCRIPT = """#!/bin/sh
[ "$1" = -mref ] && [ "$3" = -hypfile ] || exit 3
paste -d ' ' - < "$2" > __segments
echo said once >> "{log}"
"""


def fake(folder: Path, script: str) -> str:
    """Write an executable that stands in for a tool, and return its path."""
    path = folder / "tool"
    path.write_text(script)
    path.chmod(0o755)
    return str(path)


def test_the_official_binary_is_run_per_talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids another call than `mwerSegmenter -mref ... -hypfile ...` with the answer in `__segments`, per talk."""
    log = tmp_path / "log"
    monkeypatch.setenv("HARNESS_MWERSEGMENTER", fake(tmp_path, SCRIPT.format(log=log)))
    found = resegment(TALKS, get_resegmenter("mwersegmenter"), "de", tmp_path / "out")
    assert found.lines == ("eins zwei", "drei vier", "ja", "nein")
    assert found.identity.startswith("mwerSegmenter ")
    assert found.identity.endswith(" words")
    assert log.read_text().count("said once") == 2


def test_chinese_is_spaced_for_the_official_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids giving unspaced Chinese to a tool that knows words by spaces, and spaces in what comes back."""
    monkeypatch.setenv("HARNESS_MWERSEGMENTER", fake(tmp_path, SCRIPT.format(log=tmp_path / "log")))
    talk = Talk("a.wav", "模型用BERT。谢谢", ("模型用BERT。", "谢谢"))
    assert resegment([talk], get_resegmenter("mwersegmenter"), "zh", tmp_path / "out").lines == talk.references


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("#!/bin/sh\necho out of memory >&2\nexit 9\n", "exit code 9: out of memory"),
        ("#!/bin/sh\n", "wrote no __segments"),
        ("#!/bin/sh\nseq 3 > __segments\n", "lines for 2 references"),
        ("#!/bin/sh\nprintf 'eins zwei\\ndrei\\n' > __segments\n", "changed words"),
    ],
    ids=["fails", "silent", "short", "loses"],
)
def test_a_failing_tool_is_one_sentence(
    script: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that the output of a failing tool is used, and a failure without the tool's own message."""
    monkeypatch.setenv("HARNESS_MWERSEGMENTER", fake(tmp_path, script))
    with pytest.raises(UserError, match=sentence):
        resegment(TALKS, get_resegmenter("mwersegmenter"), "de", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("mwersegmenter", "HARNESS_MWERSEGMENTER"),
        ("mweralign", "HARNESS_MWERALIGN"),
        ("omnisteval", "HARNESS_OMNISTEVAL"),
    ],
)
def test_a_missing_command_says_what_to_do(name: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids a traceback where a resegmenter is not installed."""
    monkeypatch.setenv(variable, os.devnull)
    with pytest.raises(UserError, match=f"{variable} names {os.devnull}"):
        get_resegmenter(name).identity("de")


def test_an_unknown_resegmenter_is_refused() -> None:
    """Forbids a misspelt name that falls back to another tool."""
    with pytest.raises(UserError, match="No resegmenter is named 'mwer': did you mean mweralign"):
        get_resegmenter("mwer")


def test_mweralign_is_never_imported() -> None:
    """Forbids an import of the tool's code, whose licence is not ours: it is run as a command."""
    package = Path(__file__).parents[2] / "harness"
    assert find_spec("harness.resegmentation") is not None
    for source in package.rglob("*.py"):
        text = source.read_text(encoding="utf-8")
        assert "import mweralign" not in text
        assert "from mweralign" not in text


@pytest.mark.skipif("HARNESS_OMNISTEVAL" not in os.environ, reason="OmniSTEval is optional: set HARNESS_OMNISTEVAL")
@pytest.mark.parametrize("language", ["de", "zh"])
def test_omnisteval_agrees_on_joined_references(language: str, tmp_path: Path) -> None:
    """Forbids that the cross-check misses a boundary of joined references."""
    lines = {"de": ("Das Haus ist alt.", "Wir messen."), "zh": ("我们用BERT模型。", "谢谢大家。")}[language]
    talk = Talk("a.wav", ("" if language == "zh" else " ").join(lines), lines)
    assert resegment([talk, talk], get_resegmenter("omnisteval"), language, tmp_path).lines == lines * 2


def test_an_installed_package_adds_a_resegmenter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a resegmenter needs an edit of the harness."""
    (tmp_path / "my_resegmenter.py").write_text(
        "from harness.resegmentation.resegmenter import RESEGMENTERS, Resegmenter\n"
        "def _split(talks, target):\n"
        "    return [[talk.text, *[''] * (len(talk.references) - 1)] for talk in talks]\n"
        "RESEGMENTERS.add('first-line', Resegmenter('first-line', lambda target: 'first-line 1', _split), __name__)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    fresh: Registry[Resegmenter] = Registry("resegmenter", "harness.resegmentation", "resegmenters")
    monkeypatch.setattr("harness.resegmentation.resegmenter.RESEGMENTERS", fresh)
    point = EntryPoint("mine", "my_resegmenter", "stcompress.resegmenters")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    lines = resegment(TALKS, get_resegmenter("first-line"), "de", tmp_path / "out").lines
    assert lines == ("eins zwei drei vier", "", "ja nein", "")
