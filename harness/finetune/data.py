"""The training manifest: JSON lines that say which audio is to be translated into which text.

Importers of released corpora end here: whatever their layout, they write such a manifest.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from harness.audio.recording import Recording, open_recording
from harness.core.errors import UserError
from harness.core.files import sha256_of
from harness.core.progress import log, progress

_SHOWN = 20
_SLACK = 0.01
"""Seconds by which a row may end after its recording: manifests are written with rounded decimals."""


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the manifest; see `TrainingExample`."""

    audio: Annotated[str, msgspec.Meta(min_length=1)]
    language: str
    text: str
    dataset: Annotated[str, msgspec.Meta(min_length=1)]
    offset: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    duration: Annotated[float, msgspec.Meta(gt=0)] | None = None


@dataclass(frozen=True)
class TrainingExample:
    """One training example, checked.

    Attributes:
        where: manifest and line number, for errors.
        recording: the audio file.
        audio_sum: sha256 of the file.
        offset: start of the example in the recording, in seconds.
        duration: of the example, in seconds.
        language: code of the target language.
        text: the translation.
        dataset: the data set that the example comes from.
    """

    where: str
    recording: Recording
    audio_sum: str
    offset: float
    duration: float
    language: str
    text: str
    dataset: str

    @property
    def content(self) -> tuple[str, float, float, str, str]:
        """What the training sees of the row; names and places of files are not part of it."""
        return (self.audio_sum, self.offset, self.duration, self.language, self.text)


def read_rows(manifest: Path, languages: frozenset[str], window: float) -> tuple[TrainingExample, ...]:
    """Read a training manifest and check every row, down to its audio's header.

    Args:
        manifest: the JSONL file; relative audio paths are read against its folder.
        languages: codes that the recipe can name in its prompt.
        window: seconds of audio that the model hears at most.

    Raises:
        UserError: unreadable, empty, or with bad rows; each bad row is said on stderr with its line number.
    """
    reader = _Reader(manifest, languages, window)
    lines = _numbered(manifest)
    rows, faults = [], []
    with progress(f"check {manifest.name}", len(lines)) as advance:
        for number, line in lines:
            try:
                rows.append(reader.row(number, line))
            except UserError as error:
                faults.append(f"{manifest}, line {number}: {error}")
            advance(1)
    if faults:
        _refuse(manifest, faults)
    if not rows:
        raise UserError(f"{manifest} holds no rows: write one JSON object per line.")
    return tuple(rows)


def _refuse(manifest: Path, faults: list[str]) -> None:
    if len(faults) == 1:
        raise UserError(faults[0])
    for fault in faults[:_SHOWN]:
        log(fault)
    raise UserError(f"{manifest} has {len(faults)} bad rows: correct them or leave them out.")


def _numbered(manifest: Path) -> list[tuple[int, str]]:
    try:
        lines = manifest.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read the training manifest {manifest}: {error}.") from error
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


class _Reader:
    """Checks rows, and looks into each audio file once only."""

    def __init__(self, manifest: Path, languages: frozenset[str], window: float) -> None:
        self._manifest = manifest
        self._languages = languages
        self._window = window
        self._audio: dict[Path, tuple[Recording, str]] = {}

    def row(self, number: int, text: str) -> TrainingExample:
        line = _parse(text)
        if line.language not in self._languages:
            known = ", ".join(sorted(self._languages))
            raise UserError(f"language {line.language!r} is not among the recipe's languages ({known}).")
        if not line.text.strip():
            raise UserError("the text is empty: leave the row out.")
        recording, audio_sum = self._look(self._manifest.parent / line.audio)
        duration = self._duration(line, recording)
        where = f"{self._manifest}, line {number}"
        return TrainingExample(
            where, recording, audio_sum, line.offset, duration, line.language, line.text, line.dataset
        )

    def _look(self, path: Path) -> tuple[Recording, str]:
        if path not in self._audio:
            self._audio[path] = (open_recording(path), sha256_of(path))
        return self._audio[path]

    def _duration(self, line: _Line, recording: Recording) -> float:
        rest = recording.seconds - line.offset
        duration = rest if line.duration is None else line.duration
        if duration <= 0 or duration > rest + _SLACK:
            raise UserError(
                f"{recording.path} has only {recording.seconds:.2f} s: correct the row's offset and duration."
            )
        if duration > self._window:
            raise UserError(
                f"{recording.path} gives {duration:.2f} s, but the model hears only {self._window:g} s: cut the audio "
                "or leave the row out."
            )
        return duration


def _parse(text: str) -> _Line:
    try:
        return msgspec.convert(json.loads(text), _Line)
    except (ValueError, msgspec.ValidationError) as error:
        raise UserError(f"{str(error).rstrip('.')}.") from error
