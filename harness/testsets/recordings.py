"""Recordings as they are handed out: in the campaign's archives, in a folder with FILE_ORDER, or in any folder.

All become one thing in the work directory, under the key of their bytes:

    audio/<talk>.wav    16 kHz, mono, 16 bit; written one by one, so that a killed import goes on where it was
    FILE_ORDER          talk ids
    segments.yaml       given segments, `{wav, offset, duration}`, where there are any
    findings.json       what was done to which recording
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.audio.inspect import FORMAT as AUDIO_FORMAT
from harness.audio.inspect import SUFFIXES, normalise
from harness.audio.recording import open_recording
from harness.core.archives.unpack import unpack
from harness.core.checksums import directory_digests
from harness.core.errors import UserError
from harness.core.files import key_of, publish_directory, read_bounded, write_bytes, write_json
from harness.core.findings import Finding, Severity
from harness.core.progress import progress
from harness.core.workdir import WorkDir
from harness.testsets.acl6060 import read_file_order
from harness.testsets.segments import Segment
from harness.testsets.segments_yaml import read_yaml

FORMAT = 1
ARCHIVES = ("*_audios.tar.gz", "*_videos.tar.gz", "*.tar.gz", "*.tgz", "*.gz", "*.tar", "*.zip")
"""Names of the campaign's archives, the preferred ones first: sound alone spares the demuxing."""
_SLACK = 0.01
"""Seconds by which a segment may end after its recording: segmentations are written with rounded decimals."""
_FILES = 10_000
"""Most files that are looked at in a folder of recordings."""


@dataclass(frozen=True)
class Recordings:
    """Recordings in the work directory.

    Attributes:
        root: their folder.
        talks: talk ids in FILE_ORDER's order.
        findings: what was done to them.
    """

    root: Path
    talks: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def audio(self) -> Path:
        """Folder of `<talk>.wav`."""
        return self.root / "audio"

    @property
    def segments(self) -> Path | None:
        """The given segments as YAML, or None."""
        path = self.root / "segments.yaml"
        return path if path.is_file() else None


def find_archive(folder: Path) -> Path:
    """Return the campaign's archive in a folder.

    Raises:
        UserError: there is none, or more than one of the preferred kind.
    """
    for pattern in ARCHIVES:
        found = sorted(folder.glob(pattern))
        if len(found) > 1:
            raise UserError(f"{folder} holds {found[0].name} and {found[1].name}: leave the one to import there.")
        if found:
            return found[0]
    raise UserError(
        f"{folder} holds no archive of recordings: put the campaign's download there "
        f"({ARCHIVES[0]} or {ARCHIVES[1]}), with its name."
    )


def import_archive(archive: Path, name: str, workdir: WorkDir) -> Recordings:
    """Unpack an archive and bring its recordings into the work directory; what is there already is left alone.

    Raises:
        UserError: the archive is refused (see `unpack`), holds no recording, or one that does not read.
    """
    sums = directory_digests(archive.parent, [archive.name], workdir.cache)
    final = workdir.testsets / f"{name}-{key_of([FORMAT, AUDIO_FORMAT, 'archive', sums[archive.name]])[:16]}"
    if not final.is_dir():
        inside = _partial(final) / "unpacked"
        shutil.rmtree(inside, ignore_errors=True)
        unpack(archive, inside)
        _write(_RecordingFolder(archive, inside), final)
    return _read(final)


def import_folder(folder: Path, name: str, workdir: WorkDir) -> Recordings:
    """Bring a folder's recordings into the work directory; what is there already is left alone.

    Raises:
        UserError: it holds no recording, too many files, or a recording that does not read.
    """
    handed = _RecordingFolder(folder, folder)
    sums = directory_digests(folder, handed.names(), workdir.cache)
    final = workdir.testsets / f"{name}-{key_of([FORMAT, AUDIO_FORMAT, 'folder', sums])[:16]}"
    if not final.is_dir():
        _write(handed, final)
    return _read(final)


def given_segments(found: Recordings) -> tuple[Segment, ...]:
    """Return the given segments with the recordings in FILE_ORDER's order, each recording's in the file's order.

    Raises:
        UserError: the YAML does not read, names a recording that is not there, or a segment leaves its recording.
    """
    if found.segments is None:
        return ()
    given = _segments(found.segments, found.talks)
    for wav in dict.fromkeys(segment.wav for segment in given):
        seconds = open_recording(found.audio / wav).seconds
        late = next((s for s in given if s.wav == wav and s.offset + s.duration > seconds + _SLACK), None)
        if late is not None:
            raise UserError(
                f"The segment at {late.offset:g} s of {late.duration:g} s leaves {wav}, which has {seconds:.3f} s: "
                "restore the segments or the recording."
            )
    return given


def _segments(path: Path, talks: Sequence[str]) -> tuple[Segment, ...]:
    """Read segments whose recordings are named by talk id or by any file name of it."""
    order = {talk: place for place, talk in enumerate(talks)}
    given = []
    for segment in read_yaml(path):
        talk = segment.wav if segment.wav in order else segment.wav.rpartition(".")[0]
        if talk not in order:
            raise UserError(f"{path} names {segment.wav!r:.80}, which is no recording of the set: restore it.")
        given.append((order[talk], Segment(f"{talk}.wav", segment.offset, segment.duration)))
    return tuple(segment for _, segment in sorted(given, key=lambda pair: pair[0]))


def _partial(final: Path) -> Path:
    return final.with_name(f"{final.name}.partial")


class _RecordingFolder:
    """What was handed out: recordings, the list that orders them, and segments, wherever they lie in the folder."""

    def __init__(self, origin: Path, folder: Path) -> None:
        self.origin = origin
        self.folder = folder
        self._files = _plain_files(origin, folder)
        self.talks = self._by_talk([path for path in self._files if path.suffix.lower() in SUFFIXES])
        self.order = self._single([path for path in self._files if path.name == "FILE_ORDER"])
        self.segments = self._single([path for path in self._files if path.suffix.lower() in {".yaml", ".yml"}])
        if not self.talks:
            raise UserError(f"{origin} holds no recording ({', '.join(SUFFIXES[:4])}, ...): name the folder of them.")

    def names(self) -> list[str]:
        """Paths inside of the folder of everything that is read."""
        extra = [path for path in (self.order, self.segments) if path]
        return sorted(path.relative_to(self.folder).as_posix() for path in [*self.talks.values(), *extra])

    def _by_talk(self, paths: Sequence[Path]) -> dict[str, Path]:
        talks: dict[str, Path] = {}
        for path in paths:
            talk = path.name[: -len(path.suffix)]
            if talk in talks:
                raise UserError(f"{self.origin} holds {talks[talk].name} twice, or beside {path.name}: leave one.")
            talks[talk] = path
        return talks

    def _single(self, paths: Sequence[Path]) -> Path | None:
        if len(paths) > 1:
            names = " and ".join(path.relative_to(self.folder).as_posix() for path in paths[:2])
            raise UserError(f"{self.origin} holds {names}: leave the one that is meant.")
        return paths[0] if paths else None

    def ordered(self) -> tuple[tuple[str, ...], list[Finding]]:
        """Return the talk ids in order, and what there is to say about that."""
        if self.order is None:
            sentence = "names no order of its recordings (FILE_ORDER), so they are taken by name."
            return tuple(sorted(self.talks)), [Finding(self.origin.name, "file-order", sentence, Severity.WARNING)]
        talks = tuple(self._talk(entry) for entry in read_file_order(self.order))
        left_out = sorted(set(self.talks) - set(talks))
        sentence = "is not in FILE_ORDER and is left out."
        return talks, [Finding(self.talks[t].name, "file-order", sentence, Severity.WARNING) for t in left_out]

    def _talk(self, entry: str) -> str:
        """Return the talk that a line of FILE_ORDER means: an id (which may hold dots), or a file's name."""
        names = {path.name: talk for talk, path in self.talks.items()}
        if entry not in self.talks and entry not in names:
            raise UserError(f"{self.origin} has no recording of {entry!r}, which its FILE_ORDER names: restore it.")
        return entry if entry in self.talks else names[entry]


def _plain_files(origin: Path, folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"The folder {folder} is missing: correct the path of the test set.")
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            found.append(path)
        if len(found) > _FILES:
            raise UserError(f"{origin} holds more than {_FILES} files: name the folder of the recordings.")
    return found


def _write(handed: _RecordingFolder, final: Path) -> None:
    partial = _partial(final)
    talks, findings = handed.ordered()
    if handed.segments is not None:
        _segments(handed.segments, talks)  # refused before hours of audio are decoded
    with progress(f"import {final.name}", len(talks)) as advance:
        for talk in talks:
            findings += _import_talk(handed.talks[talk], partial / "audio" / f"{talk}.wav")
            advance(1)
    if handed.segments is not None:
        write_bytes(partial / "segments.yaml", read_bounded(handed.segments, 16 << 20))
    write_bytes(partial / "FILE_ORDER", "".join(f"{talk}\n" for talk in talks).encode())
    write_json(partial / "findings.json", {"format_version": FORMAT, "findings": findings})
    shutil.rmtree(partial / "unpacked", ignore_errors=True)
    shutil.rmtree(partial / "said", ignore_errors=True)
    publish_directory(partial, final)


def _import_talk(source: Path, target: Path) -> Iterable[Finding]:
    """Write one recording, unless it is there; its findings are written after it and say that it is whole."""
    said = target.parents[1] / "said" / f"{target.name}.json"
    if not (said.is_file() and target.is_file()):
        write_json(said, normalise(source, target))
    return msgspec.json.decode(said.read_bytes(), type=tuple[Finding, ...])


def _read(final: Path) -> Recordings:
    path = final / "findings.json"
    try:
        found = msgspec.json.decode(read_bounded(path), type=_FindingsFile)
    except msgspec.DecodeError as error:
        raise UserError(f"{path} does not read ({error}): remove the folder {final} and import again.") from error
    return Recordings(final, read_file_order(final / "FILE_ORDER"), found.findings)


class _FindingsFile(msgspec.Struct, frozen=True):
    """findings.json."""

    findings: tuple[Finding, ...]
    format_version: int = FORMAT
