"""The demo's spoken corpus, converted to the layout of the ACL 60/60 release.

Each split is committed as a folder with `FILE_ORDER`, `<talk>.flac`, and `sentences.jsonl` with one object per
sentence: `talk`, `start` and `end` (samples), and the sentence in each language under its code.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.audio.recording import RATE, write_pcm
from harness.core.errors import UserError
from harness.core.files import key_of, publish_directory, read_bounded, sha256_of, write_bytes
from harness.core.locks import exclusive
from harness.core.workdir import WorkDir
from harness.testsets.acl6060 import Acl6060Layout, read_file_order, read_release, split_folder
from harness.testsets.layout import LAYOUTS, LayoutRequest
from harness.testsets.testset import TestSet

FORMAT = 1
ROOT = Path("2") / "acl_6060"
"""Folder of the splits inside the released archive."""


@dataclass(frozen=True)
class DemoSentence:
    """One sentence of the corpus: samples [start, end) of a talk, and its texts by language code."""

    talk: str
    start: int
    end: int
    texts: dict[str, str]


@dataclass(frozen=True)
class DemoCorpus:
    """One split (`dev` or `eval`) as committed, and codes of the languages to write, the source language first."""

    folder: Path
    split: str
    languages: tuple[str, ...]

    @property
    def key(self) -> str:
        """sha256 over everything that determines the converted files."""
        files = [self.folder / "FILE_ORDER", self.folder / "sentences.jsonl"]
        files += [self.folder / f"{talk}.flac" for talk in read_file_order(files[0])]
        for file in files:
            if not file.is_file():
                raise UserError(f"{file} is missing: restore the demo's corpus from the repository.")
        return key_of([FORMAT, self.split, self.languages, [[file.name, sha256_of(file)] for file in files]])


def materialise(corpus: DemoCorpus, name: str, workdir: WorkDir) -> Path:
    """Write the corpus as an unpacked ACL 60/60 archive, unless it is in the work directory already.

    Return the parent of the split's folder. `name` begins the written folder's name, for people; the key that follows
    it identifies the corpus.

    Raises:
        UserError: a file of the corpus is missing or damaged, or another process is writing it.
    """
    final = workdir.testsets / f"{name}-{corpus.key[:16]}"
    if not final.is_dir():
        with exclusive(final, f"is importing {name}", workdir.locks):
            if not final.is_dir():  # another process may have finished it before the lock was free
                partial = final.with_name(f"{final.name}.partial")
                shutil.rmtree(partial, ignore_errors=True)
                _write(corpus, Acl6060Layout(partial / ROOT / corpus.split, corpus.split))
                publish_directory(partial, final)
    return final / ROOT


def _write(corpus: DemoCorpus, layout: Acl6060Layout) -> None:
    talks = read_file_order(corpus.folder / "FILE_ORDER")
    path = corpus.folder / "sentences.jsonl"
    rows = enumerate(read_bounded(path).splitlines(), start=1)
    sentences = [_sentence(f"{path}, line {number}", row, corpus.languages) for number, row in rows]
    order = [talks.index(sentence.talk) if sentence.talk in talks else -1 for sentence in sentences]
    if order != sorted(order) or -1 in order:
        raise UserError(f"{path} does not follow FILE_ORDER: restore the demo's corpus.")
    layout.full.mkdir(parents=True)
    layout.gold.mkdir(parents=True)
    number = 1
    for talk in talks:
        number = _write_talk(corpus, layout, talk, [s for s in sentences if s.talk == talk], number)
    for language in corpus.languages:
        write_bytes(layout.text(language), "".join(f"{one.texts[language]}\n" for one in sentences).encode())
    write_bytes(layout.file_order, "".join(f"{talk}\n" for talk in talks).encode())


def _write_talk(
    corpus: DemoCorpus, layout: Acl6060Layout, talk: str, sentences: Sequence[DemoSentence], number: int
) -> int:
    """Write one talk and its gold segments; return the number of the next gold segment."""
    pcm = _decode(corpus.folder / f"{talk}.flac")
    write_pcm(layout.full / f"{talk}.wav", pcm)
    for index, sentence in enumerate(sentences):
        if not 0 <= sentence.start < sentence.end <= len(pcm) // 2:
            raise UserError(f"A sentence of {talk} is outside its recording: restore the demo's corpus.")
        write_pcm(layout.sentence(number + index), pcm[2 * sentence.start : 2 * sentence.end])
    return number + len(sentences)


def _decode(path: Path) -> bytes:
    import soundfile

    try:
        samples, rate = soundfile.read(str(path), dtype="int16")
    except soundfile.SoundFileError as error:
        raise UserError(f"{path} cannot be read as audio ({error}): restore the demo's corpus.") from error
    if rate != RATE or samples.ndim != 1:
        raise UserError(f"{path} is not mono at {RATE} Hz: restore the demo's corpus.")
    return bytes(samples.astype("<i2").tobytes())


def _sentence(where: str, row: bytes, languages: Sequence[str]) -> DemoSentence:
    try:
        fields = msgspec.json.decode(row, type=dict[str, str | int])
        texts = {language: str(fields[language]) for language in languages}
        sentence = DemoSentence(str(fields["talk"]), int(fields["start"]), int(fields["end"]), texts)
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise UserError(f"{where}, cannot be read ({error!r}): restore the demo's corpus.") from error
    if any("\n" in text or "\r" in text for text in texts.values()):
        raise UserError(f"{where}, has a sentence of two lines: restore the demo's corpus.")
    return sentence


def _read(request: LayoutRequest) -> TestSet:
    manifest = request.manifest
    corpus = DemoCorpus(split_folder(request), manifest.split, (manifest.source, *manifest.targets))
    return read_release(request, materialise(corpus, manifest.name, request.workdir))


LAYOUTS.add("demo", _read, __name__)
