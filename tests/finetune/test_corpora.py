"""Readers of CoVoST 2 and Europarl-ST, on tiny made-up corpora in the released layouts with broken rows."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.cli.main import group
from harness.core.errors import UserError
from harness.core.manifests import find
from harness.finetune import load_recipe
from harness.finetune.corpora import CORPORA, Mixture, load_mixture, training_manifest
from harness.finetune.corpora.base import CorpusRow, Listing, corpus
from harness.finetune.corpora.covost import read_covost
from harness.finetune.corpora.europarl_st import read_europarl_st
from harness.finetune.corpora.mixture import Part
from harness.finetune.data import read_rows

CLIPS = 12
HEADER = "path\tsentence\ttranslation\tclient_id"


def write_noise(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(path.name)).normal(0, 0.1, round(seconds * 16_000))
    soundfile.write(path, noise, 16_000)


def write_covost(root: Path, *, rows: Iterable[str] = ()) -> Path:
    """Write good clips of 0.5 s with German translations in the form of the release's script, and more rows as given.

    Clips of Common Voice are MP3; libsndfile goes by content and reads these, which are WAV, in the same way.
    """
    lines = [HEADER]
    for index in range(CLIPS):
        name = f"common_voice_en_{index}.mp3"
        write_noise(root / "clips" / "noise.wav", 0.5)
        (root / "clips" / "noise.wav").rename(root / "clips" / name)
        lines.append(f"{name}\tSentence {index}.\tSatz {index}.\tspeaker")
    (root / "covost_v2.en_de.train.tsv").write_text("\n".join([*lines, *rows]) + "\n", encoding="utf-8")
    return root


def write_europarl_st(root: Path, *, suffix: str = ".flac") -> Path:
    """Write two speeches of 3 s with three segments each, in the layout of release 1.1."""
    speeches = ("en.20080924.31.3-260", "en.20090113.4.3-067")
    for name in speeches:
        write_noise(root / "en" / "audios" / f"{name}.wav", 3.0)
        (root / "en" / "audios" / f"{name}.wav").rename(root / "en" / "audios" / f"{name}{suffix}")
    folder = root / "en" / "de" / "train"
    folder.mkdir(parents=True)
    segments = [f"{name} {start:.2f} {start + 0.75:.2f}" for name in speeches for start in (0.0, 1.0, 2.0)]
    (folder / "segments.lst").write_text("\n".join(segments) + "\n")
    (folder / "segments.en").write_text("".join(f"Speech {i}.\n" for i in range(6)))
    (folder / "segments.de").write_text("".join(f"Rede {i}.\n" for i in range(6)))
    (folder / "speeches.lst").write_text("\n".join(speeches) + "\n")
    return root


def mixture(*parts: Part, seed: int = 1) -> Mixture:
    return Mixture(name="toy", source="this test", seed=seed, speech="en", window=1.0, parts=parts)


COVOST = Part(corpus="covost2", language="de", rows=5)
EUROPARL = Part(corpus="europarl-st", language="de", rows=4)


def rows_of(manifest: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]


def test_the_manifest_is_what_finetune_reads(tmp_path: Path) -> None:
    """Forbids a row that fine-tuning refuses, a text of another row, and audio that is not the row's."""
    folders = {"covost2": write_covost(tmp_path / "covost"), "europarl-st": write_europarl_st(tmp_path / "europarl")}
    manifest = tmp_path / "train.jsonl"
    report = training_manifest(mixture(COVOST, EUROPARL), folders, manifest)
    rows = read_rows(manifest, frozenset({"de"}), window=1.0)
    assert [row.dataset for row in rows] == ["covost2"] * 5 + ["europarl-st"] * 4
    for row in rows[:5]:
        number = re.fullmatch(r"common_voice_en_(\d+)\.mp3", row.recording.path.name)
        assert number is not None
        assert (row.text, row.duration) == (f"Satz {number[1]}.", 0.5)
    for row in rows[5:]:
        speech = ["en.20080924.31.3-260.flac", "en.20090113.4.3-067.flac"].index(row.recording.path.name)
        assert (row.text, row.duration) == (f"Rede {3 * speech + round(row.offset)}.", 0.75)
    assert [part.rows for part in report.parts] == [5, 4]
    assert report.parts[0].hours == pytest.approx(5 * 0.5 / 3600)
    assert report.parts[1].hours == pytest.approx(4 * 0.75 / 3600)


def test_the_release_file_gives_the_training_rows(tmp_path: Path) -> None:
    """Forbids rows of dev and test in the training set; the release's script takes train and train_covost."""
    splits = ("train", "dev", "train_covost", "test", "dev_covost")
    lines = ["path\ttranslation\tsplit", *(f"{split}.mp3\tSatz {split}\t{split}" for split in splits)]
    (tmp_path / "covost_v2.en_zh-CN.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    listing = read_covost(tmp_path, "en", "zh-CN")
    assert [row.name for row in listing.rows] == ["train.mp3", "train_covost.mp3"]


def test_broken_rows_are_counted_and_left_out(tmp_path: Path) -> None:
    """Forbids a row without translation or clip in the manifest, and one that is left out without being counted."""
    write_noise(tmp_path / "clips" / "long.wav", 1.5)
    (tmp_path / "clips" / "text.mp3").write_text("no audio")
    broken = (
        "common_voice_en_0.mp3\tagain\tNochmals\tspeaker",
        "empty.mp3\tNothing.\t  \tspeaker",
        "removed.mp3\tBad.\tREMOVE\tspeaker",
        "cut.mp3\tCut.",
        "../secret.mp3\tUp.\tHinauf\tspeaker",
        "gone.mp3\tGone.\tWeg\tspeaker",
        "text.mp3\tText.\tText\tspeaker",
        "long.wav\tLong.\tLang\tspeaker",
    )
    root = write_covost(tmp_path, rows=broken)
    everything = mixture(Part(corpus="covost2", language="de", rows=CLIPS + 1))
    expected = "has 12 usable rows, but 13 are needed"
    with pytest.raises(UserError, match=expected) as refused:
        training_manifest(everything, {"covost2": root}, tmp_path / "train.jsonl")
    for reason in ("clip listed twice", "no translation", "marked for removal", "broken row", "no file name",
                   "audio missing", "audio unreadable", "longer than 1 s"):  # fmt: skip
        assert f"1 {reason}" in str(refused.value)
    assert not (tmp_path / "train.jsonl").exists()


def test_quotes_and_escapes_are_text(tmp_path: Path) -> None:
    """Forbids that a lone quotation mark swallows the lines after it, and a backslash that stays in the text."""
    lines = [HEADER, 'a.mp3\tHe said "no\t"Nein\tx', 'b.mp3\tHe said\tEr \\"sagte\\"\ty']
    (tmp_path / "covost_v2.en_de.train.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert [row.text for row in read_covost(tmp_path, "en", "de").rows] == ['"Nein', 'Er "sagte"']


def test_the_choice_depends_on_the_seed_alone(tmp_path: Path) -> None:
    """Forbids another choice for another order of rows, and the same choice for another seed."""
    root = write_covost(tmp_path)
    folders = {"covost2": root}

    def chosen(seed: int) -> bytes:
        training_manifest(mixture(COVOST, seed=seed), folders, tmp_path / "train.jsonl")
        return (tmp_path / "train.jsonl").read_bytes()

    first = chosen(1)
    header, *rows = (root / "covost_v2.en_de.train.tsv").read_text().splitlines()
    (root / "covost_v2.en_de.train.tsv").write_text("\n".join([header, *reversed(rows)]) + "\n")
    assert chosen(1) == first
    assert len({chosen(seed) for seed in range(2, 6)} | {first}) > 1


def test_an_unusable_row_is_replaced_by_the_next(tmp_path: Path) -> None:
    """Forbids a manifest with too few rows because a chosen clip is missing, or whose other rows change as well."""
    root = write_covost(tmp_path)
    training_manifest(mixture(COVOST), {"covost2": root}, tmp_path / "before.jsonl")
    before = rows_of(tmp_path / "before.jsonl")
    (tmp_path / str(before[0]["audio"])).unlink()
    report = training_manifest(mixture(COVOST), {"covost2": root}, tmp_path / "after.jsonl")
    after = rows_of(tmp_path / "after.jsonl")
    assert len(after) == len(before)
    assert all(row in after for row in before[1:])
    assert report.parts[0].left_out == {"audio missing": 1}


def test_europarl_st_files_of_different_lengths_are_refused(tmp_path: Path) -> None:
    """Forbids translations shifted by a line."""
    root = write_europarl_st(tmp_path)
    (root / "en" / "de" / "train" / "segments.de").write_text("Rede 0.\n")
    with pytest.raises(UserError, match="6 segments but 1 translations"):
        read_europarl_st(root, "en", "de")


def test_invalid_europarl_st_rows_are_counted(tmp_path: Path) -> None:
    """Forbids a traceback or a row of negative length for broken times, and a segment that ends after its recording."""
    root = write_europarl_st(tmp_path)
    name = "en.20080924.31.3-260"
    lines = (f"{name} 0 1", f"{name} 2 1", f"{name} x 1", name, f"../{name} 0 1", f"{name} 2.5 3.5")
    (root / "en" / "de" / "train" / "segments.lst").write_text("\n".join(lines) + "\n")
    listing = read_europarl_st(root, "en", "de")
    assert len(listing.rows) == 2
    assert listing.left_out == {"broken row": 4}
    with pytest.raises(UserError, match="1 ends after its recording"):
        training_manifest(mixture(EUROPARL), {"europarl-st": root}, tmp_path / "train.jsonl")


def test_released_m4a_needs_conversion(tmp_path: Path) -> None:
    """Forbids that all audio of Europarl-ST counts as missing: its format, .m4a, is not read by libsndfile."""
    root = write_europarl_st(tmp_path)
    for path in (root / "en" / "audios").iterdir():
        path.rename(path.with_name(path.name.removesuffix(".flac") + ".m4a"))
    with pytest.raises(UserError, match="convert every file of the folder first"):
        read_europarl_st(root, "en", "de")


def test_a_missing_corpus_is_reported_before_another_is_read(tmp_path: Path) -> None:
    """Forbids an hour of reading before the missing option is named, and an incomplete manifest."""
    with pytest.raises(UserError, match="give its folder with --europarl-st"):
        training_manifest(mixture(COVOST, EUROPARL), {"covost2": tmp_path}, tmp_path / "train.jsonl")
    with pytest.raises(UserError, match="There is no folder"):
        training_manifest(mixture(COVOST), {"covost2": tmp_path / "nowhere"}, tmp_path / "train.jsonl")
    with pytest.raises(UserError, match=r"holds neither covost_v2\.en_de\.train\.tsv"):
        training_manifest(mixture(COVOST), {"covost2": tmp_path}, tmp_path / "train.jsonl")


def test_table_3_is_as_printed() -> None:
    """Forbids a mistyped count: 260k utterances in 11 languages, the sums of the paper's table 3 added by hand.

    49997 + 34999 + 34999 + 34996 + 7 x 15000 = 259,991; 87.38 + 52.10 + 52.05 + 51.97 + 35.88 + 35.34 + 35.67 + 35.47
    + 37.79 + 35.39 + 35.51 = 494.55 hours.
    """
    found = load_mixture("diet-kit")
    assert sum(part.rows for part in found.parts) == 259_991
    assert sum(figure.hours for figure in found.published.values()) == pytest.approx(494.55)
    assert set(found.published) == set(load_recipe("diet-kit").languages)
    assert (found.rows("de"), found.published["de"].hours, found.seed) == (49_997, 87.38, 42)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("rows = 34997", "rows = 34996", "hold 49996 rows of 'de', but 49997 are published"),
        ('corpus = "europarl-st", language = "es"', 'corpus = "europarl-st", language = "de"', "twice"),
        ('corpus = "covost2"', 'corpus = "must-c"', "No corpus is named 'must-c': there are covost2, europarl-st"),
        ("rows = 34999", "rows = 0", "Expected `int` >= 1"),
    ],
)
def test_a_mixture_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """Forbids sampling by a mixture with a mistake."""
    path = tmp_path / "mixture.toml"
    path.write_text(find("corpora", "diet-kit").read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        load_mixture(str(path))


def test_the_command_writes_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Forbids a command that ignores the seed, or prints other numbers than the manifest has."""
    toml = tmp_path / "toy.toml"
    toml.write_text(
        'format_version = 1\nname = "toy"\nsource = "this test"\nseed = 1\nspeech = "en"\nwindow = 1.0\n'
        'parts = [{ corpus = "covost2", language = "de", rows = 5 }]\n'
    )
    manifest = tmp_path / "train.jsonl"
    arguments = ["training-manifest", str(toml), "--covost", str(write_covost(tmp_path)), "--output", str(manifest)]
    group.main([*arguments, "--json"], standalone_mode=False)
    (part,) = json.loads(capsys.readouterr().out)["parts"]
    assert (part["corpus"], part["language"], part["rows"], part["left_out"]) == ("covost2", "de", 5, {})
    first = manifest.read_bytes()
    group.main([*arguments, "--seed", "4"], standalone_mode=False)
    assert "5 rows" in capsys.readouterr().out
    assert manifest.read_bytes() != first


def test_a_new_corpus_is_one_registration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a corpus of an installed package needs an edit of the command, the mixture or the sampler."""
    write_noise(tmp_path / "only.wav", 0.5)

    def read_toy(root: Path, source: str, target: str) -> Listing:
        return Listing([CorpusRow(root / "only.wav", "only", f"{source} to {target}")])

    assert "covost2" in CORPORA  # scans the package, so that the entries below are complete
    monkeypatch.setattr(CORPORA, "_entries", dict(CORPORA._entries))
    corpus("toy-corpus", option="--toy-corpus", folder="a toy")(read_toy)
    toml, manifest = tmp_path / "toy.toml", tmp_path / "train.jsonl"
    toml.write_text(
        'format_version = 1\nname = "toy"\nsource = "this test"\nseed = 1\nspeech = "en"\nwindow = 1.0\n'
        'parts = [{ corpus = "toy-corpus", language = "de", rows = 1 }]\n'
    )
    arguments = ["training-manifest", str(toml), "--toy-corpus", str(tmp_path), "--output", str(manifest)]
    group.main(arguments, standalone_mode=False)
    assert [(row["dataset"], row["text"]) for row in rows_of(manifest)] == [("toy-corpus", "en to de")]
