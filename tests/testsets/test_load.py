"""harness.testsets.load: one reader for the demo and the ACL 60/60 release, and one sentence for every fault."""

import shutil
from collections.abc import Callable
from importlib.metadata import EntryPoint
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile

from harness.audio.recording import RATE, read_pcm, write_pcm
from harness.core import manifests, registry
from harness.core.errors import UserError
from harness.core.locks import exclusive
from harness.core.registry import Registry
from harness.core.workdir import WorkDir
from harness.testsets import load
from harness.testsets.acl6060 import Acl6060Layout
from harness.testsets.layout import FORMAT, LAYOUTS, TestSetManifest
from harness.testsets.load import load_test_set
from tests.helpers.handed_out import write_manifest as handed_out_manifest
from tests.helpers.tiny_corpus import TALKS, Row, rows, write_corpus, write_manifest

ROWS = rows(3)


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path / "work")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A tiny corpus in the demo's committed form."""
    return write_corpus(tmp_path / "corpus" / "eval", ROWS)


@pytest.fixture
def name(tmp_path: Path, corpus: Path) -> str:
    """Its manifest."""
    return write_manifest(tmp_path / "tiny.toml", corpus.parent)


@pytest.fixture
def release(name: str, work: WorkDir) -> Acl6060Layout:
    """The same corpus, materialised: files as in the ACL 60/60 release."""
    return Acl6060Layout(load_test_set(name, work).audio.parent, "eval")


@pytest.fixture
def released(tmp_path: Path, release: Acl6060Layout) -> str:
    """A manifest that reads the materialised files as if they were the real release."""
    return write_manifest(tmp_path / "acl.toml", release.root.parent, layout="acl6060", sentences=len(ROWS))


def test_time_stamps_are_recovered_to_the_sample(name: str, work: WorkDir) -> None:
    """Forbids offsets that differ from the committed ones, though neighbours overlap and talks are not sorted."""
    assert any(a.talk == b.talk and b.start < a.end for a, b in pairwise(ROWS))
    gold = load_test_set(name, work).gold
    assert gold is not None
    found = [Row(s.wav.removesuffix(".wav"), round(s.offset * RATE), 0) for s in gold.segments]
    assert found == [Row(row.talk, row.start, 0) for row in ROWS]
    assert [round(s.duration * RATE) for s in gold.segments] == [row.end - row.start for row in ROWS]


def test_the_layout_is_that_of_the_release(release: Acl6060Layout) -> None:
    """Forbids a layout that the importer of the real release could not read; paths as in the released archive."""
    files = sorted(str(path.relative_to(release.root)) for path in release.root.rglob("*") if path.is_file())
    assert release.root.parts[-3:] == ("2", "acl_6060", "eval")
    assert files == sorted(
        ["FILE_ORDER"]
        + [f"full_wavs/{talk}.wav" for talk in TALKS]
        + [f"segmented_wavs/gold/sent_{number}.wav" for number in range(1, 10)]
        + [f"text/txt/ACL.6060.eval.en-xx.{code}.txt" for code in ("de", "en", "zh")]
    )
    assert release.file_order.read_text() == "".join(f"{talk}\n" for talk in TALKS)


def test_gold_audio_is_a_byte_slice_of_the_talk(release: Acl6060Layout) -> None:
    """Forbids that segments are decoded or scaled again: sent_5 is the bytes of the second sentence of talk two."""
    row = ROWS[4]
    assert read_pcm(release.sentence(5)) == read_pcm(release.full / f"{row.talk}.wav")[2 * row.start : 2 * row.end]


def test_the_demo_and_the_release_are_read_alike(name: str, released: str, work: WorkDir) -> None:
    """Forbids a second importer: the same files give the same segments, texts and key by either manifest."""
    demo, real = load_test_set(name, work), load_test_set(released, work)
    assert (demo.gold, demo.source, demo.references, demo.key) == (real.gold, real.source, real.references, real.key)
    assert demo.references["de"][4] == "Satz 5."
    assert demo.file_order == tuple(f"{talk}.wav" for talk in TALKS)


def test_equal_sentences_in_a_row_are_told_apart(tmp_path: Path, work: WorkDir) -> None:
    """Forbids that the second of two equal utterances is found at the position of the first one."""
    talk = TALKS[0]
    write_corpus(tmp_path / "corpus" / "eval", [Row(talk, 500, 7000), Row(talk, 9000, 15500)], [talk])
    pcm = bytearray(soundfile.read(tmp_path / "corpus" / "eval" / f"{talk}.flac", dtype="int16")[0].tobytes())
    pcm[2 * 9000 : 2 * 15500] = pcm[2 * 500 : 2 * 7000]
    write_pcm(tmp_path / "a.wav", bytes(pcm))
    samples = soundfile.read(tmp_path / "a.wav", dtype="int16")[0]
    soundfile.write(tmp_path / "corpus" / "eval" / f"{talk}.flac", samples, RATE, subtype="PCM_16")
    gold = load_test_set(write_manifest(tmp_path / "t.toml", tmp_path / "corpus"), work).gold
    assert gold is not None
    assert [round(segment.offset * RATE) for segment in gold.segments] == [500, 9000]


def test_a_match_between_two_samples_is_none(
    tmp_path: Path, release: Acl6060Layout, released: str, work: WorkDir
) -> None:
    """Forbids a match at an odd byte: bytes 01 02 01 02 01 have the sample 02 01 only shifted by half a sample."""
    talk, sentences = release.full / f"{TALKS[0]}.wav", sorted(release.gold.glob("*.wav"))
    for path in sentences:
        path.unlink()
    write_pcm(talk, b"\x01\x02" * 50 + b"\x02\x01" * 50)
    write_pcm(release.sentence(1), b"\x02\x01" * 20)
    for code in ("en", "de", "zh"):
        release.text(code).write_text("x\n")
    manifest = Path(released).read_text().replace("sentences = 9", "sentences = 1")
    (tmp_path / "one.toml").write_text(manifest)
    gold = load_test_set(str(tmp_path / "one.toml"), work).gold
    assert gold is not None
    assert round(gold.segments[0].offset * RATE) == 50


def drop_text(layout: Acl6060Layout) -> None:
    layout.text("zh").unlink()


def drop_line(layout: Acl6060Layout) -> None:
    layout.text("de").write_text("".join(f"Satz {number}.\n" for number in range(8)))


def drop_everywhere(layout: Acl6060Layout) -> None:
    for code in ("en", "de", "zh"):
        layout.text(code).write_text("x\n" * 8)
    layout.sentence(9).unlink()


def drop_sentence(layout: Acl6060Layout) -> None:
    layout.sentence(4).unlink()


def add_sentence(layout: Acl6060Layout) -> None:
    shutil.copy(layout.sentence(9), layout.sentence(10))


def slow_down(layout: Acl6060Layout) -> None:
    path = layout.full / f"{TALKS[1]}.wav"
    soundfile.write(path, soundfile.read(path)[0], 8_000, subtype="PCM_16")


def cut_off(layout: Acl6060Layout) -> None:
    layout.sentence(3).write_bytes(layout.sentence(3).read_bytes()[:-10])


def spoil(layout: Acl6060Layout) -> None:
    layout.sentence(3).write_bytes(b"no audio at all, but some bytes")


def exchange(layout: Acl6060Layout) -> None:
    shutil.copy(layout.sentence(9), layout.sentence(1))


def drop_talk(layout: Acl6060Layout) -> None:
    (layout.full / f"{TALKS[2]}.wav").unlink()


def name_twice(layout: Acl6060Layout) -> None:
    layout.file_order.write_text(f"{TALKS[0]}\n{TALKS[0]}\n")


def climb(layout: Acl6060Layout) -> None:
    layout.file_order.write_text("../../secret\n")


def empty_order(layout: Acl6060Layout) -> None:
    layout.file_order.write_text("\n")


def drop_order(layout: Acl6060Layout) -> None:
    layout.file_order.unlink()


def write_latin(layout: Acl6060Layout) -> None:
    layout.text("de").write_bytes("Sätze\n".encode("latin-1") * 9)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (drop_text, r"en-xx\.zh\.txt: No such file"),
        (drop_line, r"differ in their number of lines \(.*en\.txt 9, .*de\.txt 8, .*zh\.txt 9\)"),
        (drop_everywhere, "has 8 sentences, but its manifest expects 9"),
        (drop_sentence, r"sent_4\.wav is missing \(1 of 9"),
        (add_sentence, r"sent_10\.wav, but there are only 9"),
        (slow_down, r"2026\.tiny-talks\.10\.wav has 8000 Hz"),
        (cut_off, r"sent_3\.wav is truncated"),
        (spoil, r"sent_3\.wav cannot be read as audio"),
        (exchange, r"sent_2\.wav is not found in the recordings"),
        (drop_talk, r"2026\.tiny-talks\.9b\.wav is missing"),
        (name_twice, "FILE_ORDER names a talk twice"),
        (climb, "not a plain talk id"),
        (empty_order, "names no talk"),
        (drop_order, "FILE_ORDER: No such file"),
        (write_latin, "is not UTF-8"),
    ],
)
def test_every_fault_is_one_sentence(
    damage: Callable[[Acl6060Layout], None], sentence: str, release: Acl6060Layout, released: str, work: WorkDir
) -> None:
    """Forbids that a damaged release is imported, or fails with a traceback."""
    damage(release)
    with pytest.raises(UserError, match=sentence) as caught:
        load_test_set(released, work)
    assert "\n" not in str(caught.value)


def test_a_missing_release_says_where_to_get_it(tmp_path: Path, work: WorkDir) -> None:
    """Forbids a bare `not found`: the sentence names the address and the field to change."""
    manifest = (manifests.root() / "testsets" / "acl6060-eval.toml").read_text()
    (tmp_path / "acl.toml").write_text(manifest.replace("data/local", str(tmp_path)))
    with pytest.raises(UserError, match=r"unpack https://aclanthology\.org/.*\.zip .*another `path`"):
        load_test_set(str(tmp_path / "acl.toml"), work)


def test_materialising_twice_changes_nothing(name: str, work: WorkDir) -> None:
    """Forbids that a second run writes existing files again."""
    first = load_test_set(name, work)
    before = {path: path.stat().st_mtime_ns for path in work.testsets.rglob("*")}
    second = load_test_set(name, work)
    assert (first.key, first.gold) == (second.key, second.gold)
    assert before == {path: path.stat().st_mtime_ns for path in work.testsets.rglob("*")}


def test_a_killed_materialising_leaves_nothing_half(name: str, work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a half-written set is taken for complete: it is written again, and its remains disappear."""
    real = write_pcm

    def die_at_sentence_four(path: Path, data: bytes) -> None:
        if path.name == "sent_4.wav":
            raise KeyboardInterrupt("stopped")
        real(path, data)

    monkeypatch.setattr("harness.testsets.demo_corpus.write_pcm", die_at_sentence_four)
    with pytest.raises(KeyboardInterrupt, match="stopped"):
        load_test_set(name, work)
    assert [path.suffix for path in work.testsets.iterdir()] == [".partial"]
    monkeypatch.undo()
    assert len(load_test_set(name, work).references["de"]) == len(ROWS)
    assert [path.suffix for path in work.testsets.iterdir()] == [""]


def test_other_content_has_another_key(corpus: Path, name: str, work: WorkDir) -> None:
    """Forbids that translations of one version of a set are taken for those of another."""
    before = load_test_set(name, work)
    lines = (corpus / "sentences.jsonl").read_text()
    (corpus / "sentences.jsonl").write_text(lines.replace("Satz 5.", "Satz fünf."))
    after = load_test_set(name, work)
    assert after.key != before.key
    assert after.references["de"][4] == "Satz fünf."


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (('"Satz 5."', '"Satz\\n5."'), "line 5, has a sentence of two lines"),
        (('"de": "Satz 5."', '"fr": "x"'), "line 5, cannot be read"),
        (('"start": 1000', '"start": 99000000'), "is outside"),
        ((TALKS[1], "unknown"), "does not follow FILE_ORDER"),
    ],
)
def test_a_damaged_corpus_is_refused(
    edit: tuple[str, str], sentence: str, corpus: Path, name: str, work: WorkDir
) -> None:
    """Forbids that an edited sentences.jsonl gives wrong slices or lines that shift."""
    path = corpus / "sentences.jsonl"
    path.write_text(path.read_text().replace(*edit))
    with pytest.raises(UserError, match=sentence):
        load_test_set(name, work)


def test_the_published_sizes_of_acl_60_60() -> None:
    """Forbids other counts than the published ones: dev 468, eval 416 sentences, 5 talks each (Salesky et al. 2023)."""
    for split, sentences in (("dev", 468), ("eval", 416)):
        path = manifests.find("testsets", f"acl6060-{split}")
        manifest = manifests.read_toml(path, TestSetManifest, FORMAT)
        assert (manifest.name, manifest.talks, manifest.sentences) == (f"acl6060-{split}", 5, sentences)


@pytest.mark.parametrize("manifest", manifests.names("testsets"))
def test_every_shipped_manifest_reads_under_its_own_name(manifest: str) -> None:
    """Forbids a manifest that the code cannot read, that has another name, or whose layout is unknown."""
    read = manifests.read_toml(manifests.find("testsets", manifest), TestSetManifest, FORMAT)
    assert read.name == manifest
    assert read.layout in LAYOUTS


def test_an_unknown_layout_is_refused(tmp_path: Path, work: WorkDir) -> None:
    """Forbids that a misspelt layout is read as another one."""
    with pytest.raises(UserError, match="No layout is named 'archiv': did you mean archive"):
        load_test_set(handed_out_manifest(tmp_path / "t.toml", tmp_path, "archiv"), work)


def test_an_installed_package_adds_a_layout(tmp_path: Path, work: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a layout needs an edit of the harness."""
    (tmp_path / "my_layout.py").write_text(
        "from harness.testsets import load\n"
        "from harness.testsets.testset import TestSet\n"
        "def _read(request):\n"
        "    name = request.manifest.name\n"
        "    return TestSet(name, '', '', request.manifest.folder, (), None, None, {}, f'key of {name}')\n"
        "load.LAYOUTS.add('mine', _read, __name__)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(load, "LAYOUTS", Registry("layout", "harness.testsets", "layouts"))
    point = EntryPoint("mine", "my_layout", "stcompress.layouts")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    found = load_test_set(handed_out_manifest(tmp_path / "t.toml", tmp_path / "audio", "mine"), work)
    assert (found.key, found.audio) == ("key of tiny-blind", tmp_path / "audio")


def test_two_processes_do_not_write_one_set(name: str, work: WorkDir) -> None:
    """Forbids that two imports write the same folder."""
    final = load_test_set(name, work).audio.parents[3]
    shutil.rmtree(final)
    with (
        exclusive(final, "is importing it", work.locks),
        pytest.raises(UserError, match="is importing tiny-eval: wait"),
    ):
        load_test_set(name, work)
