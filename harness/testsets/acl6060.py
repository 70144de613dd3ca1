"""Test sets in the layout of the ACL 60/60 release, the demo's and the real one alike.

    FILE_ORDER                                     talk ids, one a line, without `.wav`; they contain dots
    full_wavs/<talk>.wav                           16 kHz, mono, 16 bit
    segmented_wavs/gold/sent_<N>.wav               N from 1, through all talks in FILE_ORDER's order
    text/txt/ACL.6060.<split>.en-xx.<lang>.txt     line N belongs to sent_<N>

The release has no time stamps: they are recovered by searching each gold file's samples in its talk. Its XML files are
not read, since their `<abstract>` blocks are not well-formed; the text files have the same content.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.audio.inspect import examine
from harness.audio.recording import RATE, read_pcm
from harness.core.errors import UserError
from harness.core.files import key_of, read_bounded, sha256_of
from harness.testsets.layout import KEY_FORMAT, LAYOUTS, LayoutRequest
from harness.testsets.segments import Segment, Segmentation
from harness.testsets.testset import TestSet

_SAMPLE_BYTES = 2


@dataclass(frozen=True)
class Acl6060Layout:
    """Paths of the files of one split.

    Attributes:
        root: the split's folder.
        split: `dev` or `eval`.
    """

    root: Path
    split: str

    @property
    def file_order(self) -> Path:
        """The list of talks."""
        return self.root / "FILE_ORDER"

    @property
    def full(self) -> Path:
        """Folder of the full recordings."""
        return self.root / "full_wavs"

    @property
    def gold(self) -> Path:
        """Folder of the gold segments' audio."""
        return self.root / "segmented_wavs" / "gold"

    def sentence(self, number: int) -> Path:
        """Audio of one gold segment; numbers start at 1."""
        return self.gold / f"sent_{number}.wav"

    def text(self, language: str) -> Path:
        """The sentences in one language, one per line."""
        return self.root / "text" / "txt" / f"ACL.6060.{self.split}.en-xx.{language}.txt"


def read_file_order(path: Path) -> tuple[str, ...]:
    """Return the talk ids in the prescribed order.

    Raises:
        UserError: it is missing or empty, names a talk twice, or has a name that leaves the folder.
    """
    talks = tuple(line.strip() for line in _lines(path) if line.strip())
    if not talks:
        raise UserError(f"{path} names no talk: restore the released file.")
    for talk in talks:
        if "/" in talk or "\\" in talk or talk.startswith("."):
            raise UserError(f"{path} names {talk!r}, which is not a plain talk id: restore the released file.")
    if len(set(talks)) != len(talks):
        raise UserError(f"{path} names a talk twice: restore the released file.")
    return talks


def read_sentences(path: Path) -> tuple[str, ...]:
    """Return the lines of a text file, stripped; a line may be empty.

    Raises:
        UserError: it is missing or not UTF-8.
    """
    return tuple(line.strip() for line in _lines(path))


def _lines(path: Path) -> list[str]:
    try:
        text = read_bounded(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}): restore the released file.") from error
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def read_release(request: LayoutRequest, root: Path) -> TestSet:
    """Read a test set in the layout of the release.

    Args:
        request: the manifest, and where inspections are remembered.
        root: folder of the split's folder.

    Raises:
        UserError: a file is missing, damaged, or inconsistent with another one.
    """
    manifest = request.manifest
    layout = Acl6060Layout(root / manifest.split, manifest.split)
    talks = read_file_order(layout.file_order)
    texts = {code: read_sentences(layout.text(code)) for code in (manifest.source, *manifest.targets)}
    sentences = _common_length(layout, texts)
    manifest.check_counts(layout.root, len(talks), sentences)
    check_sentence_count(layout, sentences)
    gold = Segmentation(manifest.name, "gold", recover_segments(layout, talks, sentences))
    file_order = tuple(f"{talk}.wav" for talk in talks)
    digests = [[wav, sha256_of(layout.full / wav)] for wav in file_order]
    found = [one for wav, digest in digests for one in examine(layout.full / wav, digest, request.workdir.cache)]
    return TestSet(
        name=manifest.name,
        campaign_name=manifest.campaign_name,
        dataset=manifest.dataset,
        audio=layout.full,
        file_order=file_order,
        gold=gold,
        source=texts[manifest.source],
        references={code: texts[code] for code in manifest.targets},
        key=key_of([KEY_FORMAT, manifest.name, digests, gold, texts]),
        findings=tuple(found),
    )


def split_folder(request: LayoutRequest) -> Path:
    """Return the folder of the manifest's split.

    Raises:
        UserError: it does not exist.
    """
    folder = request.manifest.folder / request.manifest.split
    if not folder.is_dir():
        url = request.manifest.url
        raise request.missing(folder, f"unpack {url} so that it exists" if url else "restore it")
    return folder


def _common_length(layout: Acl6060Layout, texts: dict[str, tuple[str, ...]]) -> int:
    lengths = {code: len(lines) for code, lines in texts.items()}
    if len(set(lengths.values())) != 1:
        counts = ", ".join(f"{layout.text(code).name} {count}" for code, count in lengths.items())
        raise UserError(
            f"The text files of {layout.root} differ in their number of lines ({counts}): restore the released files."
        )
    return next(iter(lengths.values()))


def check_sentence_count(layout: Acl6060Layout, expected: int) -> None:
    """Compare the gold segments' files with the number of sentences.

    Raises:
        UserError: a file is missing, or there are more files than sentences.
    """
    found = {path.name for path in layout.gold.glob("sent_*.wav")}
    wanted = [layout.sentence(number).name for number in range(1, expected + 1)]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise UserError(
            f"{layout.gold / missing[0]} is missing ({len(missing)} of {expected} gold segments are): restore the "
            "released files."
        )
    if len(found) > expected:
        surplus = min(found - set(wanted))
        raise UserError(
            f"{layout.gold} has {surplus}, but there are only {expected} lines of text: restore the released files."
        )


def recover_segments(layout: Acl6060Layout, talks: Sequence[str], sentences: int) -> tuple[Segment, ...]:
    """Return the position of each gold segment in its talk.

    Sentence numbers run through the talks in FILE_ORDER's order. Neighbours may overlap (by up to 0.56 s in the
    release), so each search starts one sample after the *start* of the previous segment.

    Args:
        layout: paths of the files.
        talks: talk ids in FILE_ORDER's order.
        sentences: number of gold segments.

    Returns:
        One segment per sentence, in order; offsets and durations are exact multiples of a sample.

    Raises:
        UserError: a file does not read, or a gold segment is not found after the one before it.
    """
    finder = _SliceFinder(_recordings(layout, talks))
    return tuple(finder.find(layout.sentence(number)) for number in range(1, sentences + 1))


def _recordings(layout: Acl6060Layout, talks: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for talk in talks:
        name = f"{talk}.wav"
        yield name, read_pcm(layout.full / name)


class _SliceFinder:
    """Finds slices of the talks in order; each search continues after the start of the previous slice."""

    def __init__(self, recordings: Iterator[tuple[str, bytes]]) -> None:
        self._recordings = recordings
        self._wav, self._pcm = next(recordings)
        self._next = 0

    def find(self, path: Path) -> Segment:
        """Return the segment at which the file's samples are found next."""
        needle = read_pcm(path)
        while (start := self._search(needle)) < 0:
            self._wav, self._pcm = self._following(path)
            self._next = 0
        self._next = start + _SAMPLE_BYTES
        return Segment(self._wav, start / _SAMPLE_BYTES / RATE, len(needle) / _SAMPLE_BYTES / RATE)

    def _search(self, needle: bytes) -> int:
        start = self._pcm.find(needle, self._next)
        # A match at an odd byte is not at the border of a sample.
        while start > 0 and start % _SAMPLE_BYTES:
            start = self._pcm.find(needle, start + 1)
        return start

    def _following(self, path: Path) -> tuple[str, bytes]:
        following = next(self._recordings, None)
        if following is None:
            raise UserError(
                f"{path} is not found in the recordings after the segment before it: restore FILE_ORDER, full_wavs and "
                "segmented_wavs, which do not match."
            )
        return following


def _read(request: LayoutRequest) -> TestSet:
    split_folder(request)
    return read_release(request, request.manifest.folder)


LAYOUTS.add("acl6060", _read, __name__)
