"""Test sets in the layout of the ACL 60/60 release, the demo's and the real one alike.

    FILE_ORDER                                     talk ids, one a line, without `.wav`; they contain dots
    full_wavs/<talk>.wav                           16 kHz, mono, 16 bit
    segmented_wavs/gold/sent_<N>.wav               N from 1, through all talks in FILE_ORDER's order
    text/txt/ACL.6060.<split>.en-xx.<lang>.txt     line N belongs to sent_<N>

No time stamps ship with the release: they are recovered by looking for each gold file's samples in its talk. The XML
that also ships is not read: its `<abstract>` blocks break parsers, and the text files say the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.audio.recording import RATE, read_pcm
from harness.core.errors import UserError
from harness.core.files import read_bounded
from harness.testsets.segments import Segment

_SAMPLE_BYTES = 2


@dataclass(frozen=True)
class Acl6060Layout:
    """Where the parts of one split lie.

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
        """The sentences in one language, a line each."""
        return self.root / "text" / "txt" / f"ACL.6060.{self.split}.en-xx.{language}.txt"


def read_file_order(path: Path) -> tuple[str, ...]:
    """Return the talk ids in the prescribed order.

    Raises:
        UserError: missing, empty, a talk named twice, or a name that leaves the folder.
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
    """Return the lines of a text file, without white space around them; a line may be empty.

    Raises:
        UserError: missing, or not UTF-8.
    """
    return tuple(line.strip() for line in _lines(path))


def _lines(path: Path) -> list[str]:
    try:
        text = read_bounded(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}): restore the released file.") from error
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def check_sentence_count(layout: Acl6060Layout, expected: int) -> None:
    """Compare the gold segments' files with the number of sentences.

    Raises:
        UserError: a file is missing, or there are more than sentences.
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
            f"{layout.gold} holds {surplus}, but there are only {expected} lines of text: restore the released files."
        )


def recover_segments(layout: Acl6060Layout, talks: Sequence[str], sentences: int) -> tuple[Segment, ...]:
    """Find where each gold segment lies in its talk.

    Sentence numbers run through the talks in FILE_ORDER's order. Neighbours may overlap (by up to 0.56 s in the
    release), so each search starts one sample after the *start* of the previous segment.

    Args:
        layout: where the files lie.
        talks: talk ids in FILE_ORDER's order.
        sentences: number of gold segments.

    Returns:
        One segment per sentence, in order; offsets and durations are exact multiples of a sample.

    Raises:
        UserError: a file does not read, or a gold segment is not a slice of the recordings from there on.
    """
    tape = _RecordingSequence(_recordings(layout, talks))
    return tuple(tape.find(layout.sentence(number)) for number in range(1, sentences + 1))


def _recordings(layout: Acl6060Layout, talks: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for talk in talks:
        name = f"{talk}.wav"
        yield name, read_pcm(layout.full / name)


class _RecordingSequence:
    """The talks one after the other; a search goes on from the last find and never goes back."""

    def __init__(self, recordings: Iterator[tuple[str, bytes]]) -> None:
        self._recordings = recordings
        self._wav, self._pcm = next(recordings)
        self._next = 0

    def find(self, path: Path) -> Segment:
        """Return the next place where the file's samples stand."""
        needle = read_pcm(path)
        while (start := self._search(needle)) < 0:
            self._wav, self._pcm = self._turn(path)
            self._next = 0
        self._next = start + _SAMPLE_BYTES
        return Segment(self._wav, start / _SAMPLE_BYTES / RATE, len(needle) / _SAMPLE_BYTES / RATE)

    def _search(self, needle: bytes) -> int:
        start = self._pcm.find(needle, self._next)
        while start > 0 and start % _SAMPLE_BYTES:
            start = self._pcm.find(needle, start + 1)
        return start

    def _turn(self, path: Path) -> tuple[str, bytes]:
        following = next(self._recordings, None)
        if following is None:
            raise UserError(
                f"{path} is not a slice of the full recordings after the segments before it: FILE_ORDER, full_wavs and "
                "segmented_wavs do not belong together; restore the released files."
            )
        return following
