"""harness.testsets.segments_yaml: segmentations as YAML."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import UserError
from harness.testsets.segments import Segment
from harness.testsets.segments_yaml import LIMIT, read_yaml, to_yaml

segments = st.builds(
    Segment,
    st.text(st.characters(exclude_characters="/\\", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12),
    st.floats(0, 1e5).map(lambda value: round(value, 4)),
    st.floats(0.001, 1e3).map(lambda value: round(value, 4)),
)


def test_it_is_what_shas_writes() -> None:
    """Forbids other keys than those of SHAS and IWSLT, and more than one line per segment."""
    data = to_yaml([Segment("2022.acl-long.268.wav", 0.0, 3.5), Segment("no: yes.wav", 16.08, 0.2002)])
    assert data.decode().splitlines() == [
        "- {duration: 3.5, offset: 0.0, rW: 0, uW: 0, speaker_id: NA, wav: 2022.acl-long.268.wav}",
        "- {duration: 0.2002, offset: 16.08, rW: 0, uW: 0, speaker_id: NA, wav: 'no: yes.wav'}",
    ]


@given(st.lists(segments, max_size=5))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, some: list[Segment]) -> None:
    """Forbids that a name or a number changes when a file is written and read."""
    path = tmp_path_factory.mktemp("yaml") / "segments.yaml"
    path.write_bytes(to_yaml(some))
    assert list(read_yaml(path)) == some
    assert [row["wav"] for row in yaml.safe_load(path.read_bytes())] == [one.wav for one in some]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{wav: a.wav}", "is not a list"),
        ("[1, 2]", "segment 1, is not a mapping"),
        ("- {wav: a.wav, offset: 1}", "duration None"),
        ("- {wav: a.wav, offset: '1', duration: 1}", "offset '1'"),
        ("- {wav: a.wav, offset: true, duration: 1}", "offset True"),
        ("- {wav: a.wav, offset: -1, duration: 1}", "offset -1"),
        ("- {wav: a.wav, offset: .nan, duration: 1}", "offset nan"),
        ("- {wav: a.wav, offset: 0, duration: .inf}", "duration inf"),
        ("- {wav: a.wav, offset: 0, duration: 0}", "duration 0"),
        ("- {wav: ../a.wav, offset: 0, duration: 1}", "no recording by its bare file name"),
        ("- {wav: 7, offset: 0, duration: 1}", "no recording by its bare file name"),
        ("- {wav: a.wav, offset: 0, duration: " + "9" * 5000 + "}", "is not YAML"),
        ("- !!python/object/apply:os.system ['touch mark']", "is not YAML"),
        ("- {wav: a.wav", "is not YAML"),
        ("[" * 50_000, "is not YAML"),
        ("\x00\x01", "is not YAML"),
    ],
)
def test_hostile_files_are_refused(text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a malformed or malicious file ends in a traceback, a guess, or a command that runs."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "segments.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_yaml(path)
    assert not (tmp_path / "mark").exists()


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """Forbids that a file over the limit is read into memory."""
    path = tmp_path / "segments.yaml"
    with path.open("wb") as stream:
        stream.truncate(LIMIT + 1)
    with pytest.raises(UserError, match="larger than"):
        read_yaml(path)
