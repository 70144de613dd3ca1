"""harness.testsets.recordings: archives, folders with FILE_ORDER, any folder of audio."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.audio.decode_worker import decode
from harness.audio.inspect import normalise
from harness.core.errors import UserError
from harness.core.findings import Finding
from harness.core.workdir import WorkDir
from harness.testsets.load import load_test_set
from tests.helpers.handed_out import (
    TALKS,
    Hand,
    plain_file,
    tar_bytes,
    wav_bytes,
    write_archive,
    write_manifest,
    write_texts,
)

SEGMENTS = "".join(
    f"- {{duration: {duration}, offset: {offset}, rW: 0, uW: 0, speaker_id: NA, wav: {wav}}}\n"
    for wav, offset, duration in (
        (f"{TALKS[1]}.wav", 0.5, 0.25),
        (f"{TALKS[0]}.wav", 0.0, 0.5),
        (f"{TALKS[0]}.flac", 0.25, 0.5),
        (TALKS[0], 0.5, 0.5004),
        (f"{TALKS[1]}.wav", 0.1, 0.25),
    )
)
"""Two recordings the wrong way round, named with and without suffixes; they overlap, and one ends late by rounding."""


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode in this process, since starting one per file is slow; tests of harness.audio.inspect start it."""
    monkeypatch.setattr("harness.audio.inspect._decode", lambda source, target, _limit: decode(source, target))


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path / "work")


def test_an_archive_without_texts_is_a_test_set(tmp_path: Path, work: WorkDir) -> None:
    """Forbids that a set without gold segments, transcripts and references is refused, as all real blind sets are."""
    write_archive(tmp_path / "set")
    found = load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "set"), work)
    assert found.file_order == tuple(f"{talk}.wav" for talk in TALKS)
    assert (found.gold, found.source, found.references, found.sentence_wavs) == (None, None, {}, None)
    for number, wav in enumerate(found.file_order):
        assert (found.audio / wav).read_bytes() == wav_bytes(seed=number)
    assert found.findings == ()


def test_texts_without_gold_segments_know_their_recordings(tmp_path: Path, work: WorkDir) -> None:
    """Forbids that reference lines lose their talk, and that the order of files on disk decides."""
    write_archive(tmp_path / "set")
    write_texts(tmp_path / "set", ["en", "de"])
    found = load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "set", targets=["de"]), work)
    assert found.sentence_wavs == (f"{TALKS[0]}.wav",) * 3 + (f"{TALKS[1]}.wav",) * 2
    assert found.references["de"][2:4] == (f"de {TALKS[0]} 2", f"de {TALKS[1]} 0")
    assert found.source is not None
    assert found.source[4] == f"en {TALKS[1]} 1"


def test_given_segments_are_gold_and_follow_file_order(tmp_path: Path, work: WorkDir) -> None:
    """Forbids another order than FILE_ORDER's by recording and the file's within one, and lost overlaps."""
    write_archive(tmp_path / "set", Hand(segments=SEGMENTS))
    write_texts(tmp_path / "set", ["de"])
    found = load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "set", targets=["de"]), work)
    assert found.gold is not None
    assert found.gold.method == "gold"
    assert [(s.wav, s.offset) for s in found.gold.segments] == [
        (f"{TALKS[0]}.wav", 0.0),
        (f"{TALKS[0]}.wav", 0.25),
        (f"{TALKS[0]}.wav", 0.5),
        (f"{TALKS[1]}.wav", 0.5),
        (f"{TALKS[1]}.wav", 0.1),
    ]
    assert found.sentence_wavs is None
    assert found.source is None


def test_an_archive_and_its_folder_give_the_same_set(tmp_path: Path, work: WorkDir) -> None:
    """Forbids two readings of the same files: unpacked by hand, they give the same key."""
    write_archive(tmp_path / "set", Hand(segments=SEGMENTS))
    from harness.core.archives.unpack import unpack

    unpack(tmp_path / "set" / "TINY_audios.tar.gz", tmp_path / "folder")
    packed = load_test_set(write_manifest(tmp_path / "a.toml", tmp_path / "set"), work)
    unpacked = load_test_set(write_manifest(tmp_path / "b.toml", tmp_path / "folder", "folder"), work)
    assert packed.key == unpacked.key
    assert packed.audio != unpacked.audio


def test_any_folder_is_sorted_by_name_and_reported(tmp_path: Path, work: WorkDir) -> None:
    """Forbids an order that goes unreported; `folder` is refused where FILE_ORDER is missing."""
    (tmp_path / "any").mkdir()
    for talk in TALKS:
        soundfile.write(tmp_path / "any" / f"{talk}.flac", np.zeros((8000, 2)), 8000)
    (tmp_path / "any" / "README.txt").write_text("x")
    (tmp_path / "any" / "._a.wav").write_bytes(b"\0\5\x16\7")
    found = load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "any", "audio"), work)
    assert found.file_order == tuple(f"{talk}.wav" for talk in sorted(TALKS))
    assert {finding.rule for finding in found.findings} == {
        "file-order",
        "audio-channels",
        "audio-rate",
        "audio-silence",
    }
    assert soundfile.info(found.audio / found.file_order[0]).frames == 16_000
    with pytest.raises(UserError, match=r"that no FILE_ORDER names: add them .* layout \"audio\""):
        load_test_set(write_manifest(tmp_path / "f.toml", tmp_path / "any", "folder"), work)


@pytest.mark.parametrize("order", ["{1}.wav\n{0}.wav\n", "{1}\r\n{0}\r\n", "\ufeff{1}\n{0}"])
def test_file_order_may_name_files_or_talks(order: str, tmp_path: Path, work: WorkDir) -> None:
    """Forbids that `.268` is taken for a suffix, and that other line ends or a byte-order mark change a name."""
    write_archive(tmp_path / "set", Hand(order=order.format(*TALKS)))
    found = load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "set"), work)
    assert found.file_order == (f"{TALKS[1]}.wav", f"{TALKS[0]}.wav")


def test_what_is_not_in_file_order_is_left_out_and_named(tmp_path: Path, work: WorkDir) -> None:
    """Forbids that a left-out recording goes unreported."""
    write_archive(tmp_path / "set", Hand(order=f"{TALKS[1]}\n"))
    found = load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "set"), work)
    assert found.file_order == (f"{TALKS[1]}.wav",)
    assert [(f.path, f.rule) for f in found.findings] == [(f"{TALKS[0]}.wav", "file-order")]


def test_a_second_import_writes_nothing(tmp_path: Path, work: WorkDir) -> None:
    """Forbids unpacking and decoding again."""
    write_archive(tmp_path / "set")
    name = write_manifest(tmp_path / "t.toml", tmp_path / "set")
    first = load_test_set(name, work)
    before = {path: path.stat().st_mtime_ns for path in work.testsets.rglob("*")}
    assert load_test_set(name, work).key == first.key
    assert {path: path.stat().st_mtime_ns for path in work.testsets.rglob("*")} == before
    assert not (first.audio.parent / "unpacked").exists()


def test_a_killed_import_goes_on_where_it_was(tmp_path: Path, work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a half-imported set is taken for complete, and that finished recordings are decoded again."""
    write_archive(tmp_path / "set")
    name = write_manifest(tmp_path / "t.toml", tmp_path / "set")
    done: list[str] = []

    def count(source: Path, target: Path) -> tuple[Finding, ...]:
        done.append(source.name)
        return normalise(source, target)

    def die_at_the_second(source: Path, target: Path) -> tuple[Finding, ...]:
        if done:
            raise KeyboardInterrupt("stopped")
        return count(source, target)

    monkeypatch.setattr("harness.testsets.recordings.normalise", die_at_the_second)
    with pytest.raises(KeyboardInterrupt, match="stopped"):
        load_test_set(name, work)
    assert [path.suffix for path in work.testsets.iterdir()] == [".partial"]
    monkeypatch.setattr("harness.testsets.recordings.normalise", count)
    assert len(load_test_set(name, work).file_order) == 2
    assert done == [f"{talk}.wav" for talk in TALKS]
    assert [path.suffix == ".partial" for path in work.testsets.iterdir()] == [False]


def _entry(text: str) -> str:
    return f"- {{wav: {TALKS[0]}.wav, {text}}}\n"


BILLION_LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{'*a' + str(n - 1) + ', ' * 0}]\n" for n in range(1, 9))
YAMLS = {
    "an object to make": ("!!python/object/apply:os.system ['touch owned']\n", "is not YAML"),
    "an object in an entry": (_entry("offset: !!python/name:os.getcwd '', duration: 1"), "is not YAML"),
    "a mapping": ("wav: a\n", "is not a list"),
    "nothing": ("", "is not a list"),
    "aliases of aliases": (BILLION_LAUGHS, "is not a list"),
    "brackets without end": ("[" * 20_000, "is not YAML"),
    "an open quote": ('- {wav: "a', "is not YAML"),
    "bytes that are no text": ("- \udcff\udcfe", "is not YAML"),
    "a tab": ("-\t\t{wav: a\n\t- b", "is not YAML"),
    "a recording elsewhere": ("- {wav: ../../secret.wav, offset: 0, duration: 1}\n", "bare file name"),
    "a recording that is not there": ("- {wav: other.wav, offset: 0, duration: 1}\n", "is not a recording of the set"),
    "no duration": (_entry("offset: 0"), "give seconds as numbers"),
    "a duration below zero": (_entry("offset: 0, duration: -1"), "give seconds as numbers"),
    "a duration of nothing": (_entry("offset: 0, duration: 0"), "give seconds as numbers"),
    "an offset that is no number": (_entry("offset: .nan, duration: 1"), "give seconds as numbers"),
    "an endless duration": (_entry("offset: 0, duration: .inf"), "give seconds as numbers"),
    "a number as text": (_entry("offset: '0', duration: 1"), "give seconds as numbers"),
    "a segment beyond the end": (_entry("offset: 0.5, duration: 0.52"), r"exceeds .*9\.wav, which has 1\.000 s"),
    "a start beyond the end": (_entry("offset: 1.0e+300, duration: 1"), "exceeds"),
}


@pytest.mark.parametrize("case", YAMLS)
def test_hostile_segments_are_refused_in_one_sentence(
    case: str, tmp_path: Path, work: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids a traceback, code that runs from a YAML file, and segments outside their recording."""
    monkeypatch.chdir(tmp_path)
    text, sentence = YAMLS[case]
    members = [plain_file(f"{talk}.wav", wav_bytes(seed=n)) for n, talk in enumerate(TALKS)]
    members += [plain_file("FILE_ORDER", "\n".join(TALKS).encode())]
    members += [plain_file("s.yaml", text.encode("utf-8", "surrogateescape"))]
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a_audios.tar.gz").write_bytes(tar_bytes(members))
    with pytest.raises(UserError, match=sentence) as caught:
        load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "set"), work)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "owned").exists()


def _members(*names: str, order: str = "") -> bytes:
    files = [plain_file(name, wav_bytes() if name.endswith(".wav") else b"- a\n") for name in names]
    return tar_bytes([*files, plain_file("FILE_ORDER", order.encode())] if order else files)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (_members("README"), "has no recording"),
        (_members("a.wav", "b/a.wav"), "twice"),
        (_members("a.wav", "x.yaml", "y.yml"), "x.yaml and y.yml: keep only the right one"),
        (_members("a.wav", order="b\n"), "has no recording of 'b', which its FILE_ORDER names"),
        (_members("a.wav", order="../a\n"), "not a plain talk id"),
        (_members("a.wav", order="a\na\n"), "names a talk twice"),
        (_members("a.wav", order="a\na.wav\n"), "names a talk twice"),
        (_members("a.wav", order=" \n"), "names no talk"),
        (tar_bytes([plain_file("a.wav", b"")]), "missing or empty"),
        (tar_bytes([plain_file("a.mp4", b"video")]), "can only be decoded by ffmpeg|ffmpeg found no audio"),
    ],
)
def test_an_archive_that_makes_no_set_is_refused(data: bytes, sentence: str, tmp_path: Path, work: WorkDir) -> None:
    """Forbids that an ambiguous or empty archive is imported."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a_audios.tar.gz").write_bytes(data)
    with pytest.raises(UserError, match=sentence) as caught:
        load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "set"), work)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("languages", "counts", "sentence"),
    [
        ([], (3, 2), r"9\.de\.txt: No such file"),
        (["de"], (3, 0), "de 0"),
    ],
)
def test_references_that_are_promised_must_be_there(
    languages: list[str], counts: tuple[int, int], sentence: str, tmp_path: Path, work: WorkDir
) -> None:
    """Forbids that a set is scored on part of its references."""
    write_archive(tmp_path / "set")
    write_texts(tmp_path / "set", ["en"])
    write_texts(tmp_path / "set", languages, counts)
    with pytest.raises(UserError, match=sentence):
        load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "set", targets=["de"]), work)


def test_references_must_fit_the_given_segments(tmp_path: Path, work: WorkDir) -> None:
    """Forbids lines that shift against the gold segments of their recording."""
    write_archive(tmp_path / "set", Hand(segments=SEGMENTS))
    write_texts(tmp_path / "set", ["de"], (2, 3))
    with pytest.raises(UserError, match=rf"2 line\(s\) for the 3 given segment\(s\) of {TALKS[0]}\.wav"):
        load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "set", targets=["de"]), work)


def test_transcripts_for_some_talks_only_are_refused(tmp_path: Path, work: WorkDir) -> None:
    """Forbids that incomplete transcripts pass for none."""
    write_archive(tmp_path / "set")
    write_texts(tmp_path / "set", ["en"])
    (tmp_path / "set" / "text" / f"{TALKS[1]}.en.txt").unlink()
    with pytest.raises(UserError, match=r"10\.en\.txt: No such file"):
        load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "set"), work)


def test_the_archive_is_found_by_its_name(tmp_path: Path, work: WorkDir) -> None:
    """Forbids extracting audio from videos where it is published too, and a choice between two archives."""
    folder = tmp_path / "set"
    write_archive(folder)
    (folder / "TINY_videos.tar.gz").write_bytes(b"never read")
    name = write_manifest(tmp_path / "t.toml", folder)
    assert len(load_test_set(name, work).file_order) == 2
    (folder / "TINY_audios.tar.gz").rename(folder / "TINY--en-de.gz")
    (folder / "TINY_videos.tar.gz").rename(folder / "TINY--en-zh.gz")
    with pytest.raises(UserError, match="keep only the one to import"):
        load_test_set(name, work)
    (folder / "TINY--en-zh.gz").unlink()
    assert len(load_test_set(name, work).file_order) == 2


def test_a_missing_download_says_where_it_belongs(tmp_path: Path, work: WorkDir) -> None:
    """Forbids a bare `not found` for a folder or an archive that the user has yet to download."""
    name = write_manifest(tmp_path / "t.toml", tmp_path / "set")
    with pytest.raises(UserError, match="put the campaign's download there"):
        load_test_set(name, work)
    (tmp_path / "set").mkdir()
    with pytest.raises(UserError, match=r"put the campaign's download there \(\*_audios\.tar\.gz"):
        load_test_set(name, work)
