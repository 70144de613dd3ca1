"""Test sets in the layout of the ACL 60/60 release, the demo's and the real one alike.

    FILE_ORDER                                     talk ids, one a line, without `.wav`; they contain dots
    full_wavs/<talk>.wav                           16 kHz, mono, 16 bit
    segmented_wavs/gold/sent_<N>.wav               N from 1, through all talks in FILE_ORDER's order
    text/txt/ACL.6060.<split>.en-xx.<lang>.txt     line N belongs to sent_<N>

The release has no time stamps: they are recovered by searching each gold file's samples in its talk. Its XML files are
not read, since their `<abstract>` blocks are not well-formed; the text files have the same content.
"""

from collections.abc import Sequence
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
    """Paths of the files of one split (`dev` or `eval`) below its folder."""

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
    talks = tuple(filter(None, read_sentences(path)))
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
    try:
        text = read_bounded(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}): restore the released file.") from error
    return tuple(line.strip() for line in text.removesuffix("\n").split("\n")) if text else ()


def read_release(request: LayoutRequest, root: Path) -> TestSet:
    """Read a test set in the layout of the release; `root` is the parent of the split's folder.

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
    digests = [[f"{talk}.wav", sha256_of(layout.full / f"{talk}.wav")] for talk in talks]
    found = [one for wav, digest in digests for one in examine(layout.full / wav, digest, request.workdir.cache)]
    return TestSet(
        name=manifest.name,
        campaign_name=manifest.campaign_name,
        dataset=manifest.dataset,
        audio=layout.full,
        file_order=tuple(f"{talk}.wav" for talk in talks),
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
    lengths = set(map(len, texts.values()))
    if len(lengths) != 1:
        counts = ", ".join(f"{layout.text(code).name} {len(lines)}" for code, lines in texts.items())
        what = f"The text files of {layout.root} differ in their number of lines ({counts})"
        raise UserError(f"{what}: restore the released files.")
    return lengths.pop()


def check_sentence_count(layout: Acl6060Layout, expected: int) -> None:
    """Compare the gold segments' files with the number of sentences.

    Raises:
        UserError: a file is missing, or there are more files than sentences.
    """
    found = {path.name for path in layout.gold.glob("sent_*.wav")}
    wanted = [layout.sentence(number).name for number in range(1, expected + 1)]
    missing = [name for name in wanted if name not in found]
    if missing:
        lost = f"{layout.gold / missing[0]} is missing ({len(missing)} of {expected} gold segments are)"
        raise UserError(f"{lost}: restore the released files.")
    if surplus := found - set(wanted):
        more = f"{layout.gold} has {min(surplus)}, but there are only {expected} lines of text"
        raise UserError(f"{more}: restore the released files.")


def recover_segments(layout: Acl6060Layout, talks: Sequence[str], sentences: int) -> tuple[Segment, ...]:
    """Return the position of each gold segment in its talk.

    Sentence numbers run through the talks in FILE_ORDER's order. Neighbours may overlap (by up to 0.56 s in the
    release), so each search starts one sample after the *start* of the previous segment.

    Returns:
        One segment per sentence, in order; offsets and durations are exact multiples of a sample.

    Raises:
        UserError: a file does not read, or a gold segment is not found after the one before it.
    """
    recordings = ((f"{talk}.wav", read_pcm(layout.full / f"{talk}.wav")) for talk in talks)
    (wav, pcm), begin, segments = next(recordings), 0, []
    for path in map(layout.sentence, range(1, sentences + 1)):
        needle = read_pcm(path)
        while (start := _find_samples(pcm, needle, begin)) < 0:
            following = next(recordings, None)
            if following is None:
                raise UserError(
                    f"{path} is not found in the recordings after the segment before it: restore FILE_ORDER, full_wavs "
                    "and segmented_wavs, which do not match."
                )
            (wav, pcm), begin = following, 0
        begin = start + _SAMPLE_BYTES
        segments.append(Segment(wav, start / _SAMPLE_BYTES / RATE, len(needle) / _SAMPLE_BYTES / RATE))
    return tuple(segments)


def _find_samples(pcm: bytes, needle: bytes, begin: int) -> int:
    start = pcm.find(needle, begin)
    while start > 0 and start % _SAMPLE_BYTES:  # a match at an odd byte is not at the border of a sample
        start = pcm.find(needle, start + 1)
    return start


def _read(request: LayoutRequest) -> TestSet:
    split_folder(request)
    return read_release(request, request.manifest.folder)


LAYOUTS.add("acl6060", _read, __name__)
