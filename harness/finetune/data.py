"""The training manifest: JSON lines, each with the audio, the translation and the data set of one example.

`harness.finetune.corpora` writes such manifests from released corpora.
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

DURATION_TOLERANCE = 0.01
"""Seconds by which a row may end after its recording: released corpora and manifests have rounded times."""


class _ManifestLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the manifest; see `TrainingExample` for its fields."""

    audio: Annotated[str, msgspec.Meta(min_length=1)]
    language: str
    text: str
    dataset: Annotated[str, msgspec.Meta(min_length=1)]
    offset: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    duration: Annotated[float, msgspec.Meta(gt=0)] | None = None


@dataclass(frozen=True)
class TrainingExample:
    """One training example, after all checks.

    Attributes:
        where: manifest and line number, for errors.
        audio_sha256: of the file.
        offset: start of the example in the recording, in seconds.
        duration: of the example, in seconds.
        language: code of the target language.
        text: the translation.
    """

    where: str
    recording: Recording
    audio_sha256: str
    offset: float
    duration: float
    language: str
    text: str
    dataset: str

    @property
    def content(self) -> tuple[str, float, float, str, str]:
        """What determines the training, for its key; names and paths of files are not part of it."""
        return (self.audio_sha256, self.offset, self.duration, self.language, self.text)


def read_rows(manifest: Path, languages: frozenset[str], window: float) -> tuple[TrainingExample, ...]:
    """Read a training manifest and check every row, including the header of its audio file.

    Args:
        manifest: the JSONL file; relative paths of audio files start at its folder.
        languages: language codes of the recipe.
        window: the model's audio window in seconds.

    Raises:
        UserError: unreadable, empty, or with bad rows, which are logged with their line numbers.
    """
    checker = _RowChecker(manifest, languages, window)
    lines, rows, faults = _numbered(manifest), [], []
    with progress(f"check {manifest.name}", len(lines)) as advance:
        for number, line in lines:
            where = f"{manifest}, line {number}"
            try:
                rows.append(checker.row(where, line))
            except UserError as error:
                faults.append(f"{where}: {error}")
            advance(1)
    if len(faults) == 1:
        raise UserError(faults[0])
    for fault in faults[:20]:
        log(fault)
    if faults:
        raise UserError(f"{manifest} has {len(faults)} bad rows: correct or remove them.")
    if not rows:
        raise UserError(f"{manifest} has no rows: write one JSON object per line.")
    return tuple(rows)


def _numbered(manifest: Path) -> list[tuple[int, str]]:
    try:
        lines = manifest.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read the training manifest {manifest}: {error}.") from error
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


class _RowChecker:
    """Checks rows; opens each audio file once."""

    def __init__(self, manifest: Path, languages: frozenset[str], window: float) -> None:
        self._folder, self._languages, self._window = manifest.parent, languages, window
        self._audio: dict[Path, tuple[Recording, str]] = {}

    def row(self, where: str, text: str) -> TrainingExample:
        try:
            line = msgspec.convert(json.loads(text), _ManifestLine)
        except (ValueError, msgspec.ValidationError) as error:
            raise UserError(f"{str(error).rstrip('.')}.") from error
        if line.language not in self._languages:
            known = ", ".join(sorted(self._languages))
            raise UserError(f"language {line.language!r} is not among the recipe's languages ({known}).")
        if not line.text.strip():
            raise UserError("the text is empty: remove the row.")
        path = self._folder / line.audio
        if path not in self._audio:
            self._audio[path] = (open_recording(path), sha256_of(path))
        duration = self._duration(line, self._audio[path][0])
        return TrainingExample(where, *self._audio[path], line.offset, duration, line.language, line.text, line.dataset)

    def _duration(self, line: _ManifestLine, recording: Recording) -> float:
        available = recording.seconds - line.offset
        duration = available if line.duration is None else line.duration
        if duration <= 0 or duration > available + DURATION_TOLERANCE:
            raise UserError(
                f"{recording.path} has only {recording.seconds:.2f} s: correct the row's offset and duration."
            )
        if duration > self._window:
            raise UserError(
                f"{recording.path} has {duration:.2f} s, but the model's audio window is {self._window:g} s: split the "
                "audio or remove the row."
            )
        return duration
