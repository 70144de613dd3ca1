"""The training manifest: JSON lines that say which audio is to be translated into which text.

Importers of released corpora end here: whatever their layout, they write such a manifest.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from harness.errors import UserError
from harness.files import sha256_of
from harness.progress import say

if TYPE_CHECKING:
    import soundfile

RATE = 16_000
"""Samples per second that the model hears."""
_SHOWN = 20


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the manifest; see `Row`."""

    audio: Annotated[str, msgspec.Meta(min_length=1)]
    language: str
    text: str
    dataset: Annotated[str, msgspec.Meta(min_length=1)]
    offset: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    duration: Annotated[float, msgspec.Meta(gt=0)] | None = None


@dataclass(frozen=True)
class Row:
    """One training example, checked.

    Attributes:
        where: manifest and line number, for errors.
        audio: the audio file.
        audio_sum: sha256 of the file.
        start: first sample of the example in the file.
        samples: number of samples, at 16 kHz.
        language: code of the target language.
        text: the translation.
        dataset: the data set that the example comes from.
    """

    where: str
    audio: Path
    audio_sum: str
    start: int
    samples: int
    language: str
    text: str
    dataset: str

    @property
    def content(self) -> tuple[str, int, int, str, str, str]:
        """What the training sees of the row; file names and places are not part of it."""
        return (self.audio_sum, self.start, self.samples, self.language, self.text, self.dataset)


def read_rows(manifest: Path, languages: frozenset[str], window: int) -> tuple[Row, ...]:
    """Read a training manifest and check every row, down to its audio's header.

    Args:
        manifest: the JSONL file; relative audio paths are read against its folder.
        languages: codes that the recipe can name in its prompt.
        window: the most samples that the model hears.

    Raises:
        UserError: unreadable, empty, or with bad rows; each bad row is said on stderr with its line number.
    """
    reader = _Reader(manifest, languages, window)
    rows, faults = [], []
    for number, line in _numbered(manifest):
        try:
            rows.append(reader.row(f"{manifest}, line {number}", line))
        except UserError as error:
            faults.append(str(error))
    if faults:
        for fault in faults[1:_SHOWN]:
            say(fault)
        raise UserError(f"{faults[0]} Rows with a fault in {manifest}: {len(faults)}.")
    if not rows:
        raise UserError(f"{manifest} holds no rows: write one JSON object per line.")
    return tuple(rows)


def _numbered(manifest: Path) -> list[tuple[int, str]]:
    try:
        lines = manifest.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read the training manifest {manifest}: {error}.") from error
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


class _Reader:
    """Checks rows, and looks into each audio file once only."""

    def __init__(self, manifest: Path, languages: frozenset[str], window: int) -> None:
        self._folder = manifest.parent
        self._languages = languages
        self._window = window
        self._audio: dict[Path, tuple[str, int]] = {}

    def row(self, where: str, text: str) -> Row:
        try:
            line = msgspec.convert(json.loads(text), _Line)
        except (ValueError, msgspec.ValidationError) as error:
            raise UserError(f"{where}: {str(error).rstrip('.')}.") from error
        if line.language not in self._languages:
            known = ", ".join(sorted(self._languages))
            raise UserError(f"{where}: language {line.language!r} is not among the recipe's languages ({known}).")
        if not line.text.strip():
            raise UserError(f"{where}: the text is empty; leave the row out.")
        path = self._folder / line.audio
        audio_sum, total = self._look(where, path)
        start, samples = self._extent(where, line, path, total)
        return Row(where, path, audio_sum, start, samples, line.language, line.text, line.dataset)

    def _look(self, where: str, path: Path) -> tuple[str, int]:
        if path not in self._audio:
            self._audio[path] = (sha256_of(path) if path.is_file() else "", _length(where, path))
        return self._audio[path]

    def _extent(self, where: str, line: _Line, path: Path, total: int) -> tuple[int, int]:
        start = round(line.offset * RATE)
        samples = total - start if line.duration is None else round(line.duration * RATE)
        if samples <= 0 or start + samples > total:
            raise UserError(
                f"{where}: {path} has {total / RATE:.2f} s, too short for offset {line.offset} and "
                f"duration {line.duration}."
            )
        if samples > self._window:
            raise UserError(
                f"{where}: {path} has {samples / RATE:.2f} s to translate, but the model hears only "
                f"{self._window / RATE:.0f} s: cut it or leave it out."
            )
        return start, samples


def _length(where: str, path: Path) -> int:
    import soundfile

    if not path.is_file():
        raise UserError(f"{where}: there is no audio file {path}.")
    try:
        info = soundfile.info(str(path))
    except soundfile.SoundFileError as error:
        raise UserError(f"{where}: {path} cannot be read as audio ({error}).") from error
    return _checked_length(where, path, info)


def _checked_length(where: str, path: Path, info: "soundfile._SoundFileInfo") -> int:
    if info.samplerate != RATE or info.channels != 1:
        raise UserError(
            f"{where}: {path} has {info.samplerate} Hz and {info.channels} channels: "
            f"convert it to {RATE} Hz and one channel."
        )
    if info.frames <= 0:
        raise UserError(f"{where}: {path} is empty.")
    return int(info.frames)


def audio_tokens(samples: int, hop: int) -> int:
    """Return how many audio tokens the model makes of that many samples.

    Args:
        samples: length of the audio.
        hop: samples per mel frame; two convolution strides follow, as in transformers' Qwen2AudioProcessor.
    """
    frames = math.ceil(samples / hop)
    return ((frames - 1) // 2 + 1 - 2) // 2 + 1
