"""Importing recordings: from the campaign's archives, from a folder with FILE_ORDER, or from any folder.

The imported files have one layout in the work directory, in a folder named by the key of the original bytes:

    audio/<talk>.wav    16 kHz, mono, 16 bit; written one by one, so that a killed import is resumed
    FILE_ORDER          talk ids
    segments.yaml       given segments, `{wav, offset, duration}`, if there are any
    findings-<key>.json warnings about the recordings
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.audio.inspect import FORMAT as AUDIO_FORMAT
from harness.audio.inspect import SUFFIXES, normalise
from harness.core.archives.unpack import unpack
from harness.core.checksums import directory_digests
from harness.core.errors import UserError
from harness.core.files import key_of, publish_directory, read_bounded, write_bytes
from harness.core.findings import Finding, Severity
from harness.core.locks import exclusive
from harness.core.progress import progress
from harness.core.store import Store
from harness.core.workdir import WorkDir
from harness.testsets.acl6060 import read_file_order
from harness.testsets.segments import Segment
from harness.testsets.segments_yaml import check_ends, read_yaml

FORMAT = 2
"""Version of the imported files."""
FINDINGS = Store("recording-findings", tuple[Finding, ...], 1, "remove its folder and import again")
ARCHIVES = ("*_audios.tar.gz", "*_videos.tar.gz", "*.tar.gz", "*.tgz", "*.gz", "*.tar", "*.zip")
"""Names of the campaign's archives, preferred ones first: audio does not have to be extracted from videos."""
_FILES = 10_000
"""Largest number of files in a folder of recordings."""


@dataclass(frozen=True)
class Recordings:
    """A folder of recordings in the work directory, talk ids in the order of FILE_ORDER, and warnings about them."""

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
            raise UserError(f"{folder} has {found[0].name} and {found[1].name}: keep only the one to import.")
        if found:
            return found[0]
    kinds = f"{ARCHIVES[0]} or {ARCHIVES[1]}"
    raise UserError(
        f"{folder} has no archive of recordings: put the campaign's download there ({kinds}) under its original name."
    )


def import_archive(archive: Path, name: str, workdir: WorkDir) -> Recordings:
    """Unpack an archive and import its recordings into the work directory, unless they are there already.

    Raises:
        UserError: the archive is refused (see `unpack`), has no recording or one that does not read, or another process
            is importing it.
    """
    digests = directory_digests(archive.parent, [archive.name], workdir.cache)
    final = workdir.testsets / f"{name}-{key_of([FORMAT, AUDIO_FORMAT, 'archive', digests[archive.name]])[:16]}"
    if not final.is_dir():
        inside = final.with_name(f"{final.name}.partial") / "unpacked"
        with exclusive(final, f"is importing {name}", workdir.locks):
            if not final.is_dir():  # another process may have finished it before the lock was free
                shutil.rmtree(inside, ignore_errors=True)
                unpack(archive, inside)
                _write(_RecordingFolder(archive, inside), final)
    return _read(final)


def import_folder(folder: Path, name: str, workdir: WorkDir) -> Recordings:
    """Import a folder's recordings into the work directory, unless they are there already.

    Raises:
        UserError: it has no recording, too many files, or a recording that does not read, or another process is
            importing it.
    """
    source = _RecordingFolder(folder, folder)
    digests = directory_digests(folder, source.names(), workdir.cache)
    final = workdir.testsets / f"{name}-{key_of([FORMAT, AUDIO_FORMAT, 'folder', digests])[:16]}"
    if not final.is_dir():
        with exclusive(final, f"is importing {name}", workdir.locks):
            if not final.is_dir():
                _write(source, final)
    return _read(final)


def given_segments(found: Recordings) -> tuple[Segment, ...]:
    """Return the given segments: recordings in the order of FILE_ORDER, the segments of each in the file's order.

    Raises:
        UserError: the YAML does not read, names an unknown recording, or a segment exceeds its recording.
    """
    if found.segments is None:
        return ()
    given = _segments(found.segments, found.talks)
    check_ends(found.audio, given, found.segments)
    return given


def _segments(path: Path, talks: Sequence[str]) -> tuple[Segment, ...]:
    """Read segments whose recordings are named by talk id or by a file name of the talk with any suffix."""
    order = {talk: place for place, talk in enumerate(talks)}
    given = []
    for segment in read_yaml(path):
        talk = segment.wav if segment.wav in order else segment.wav.rpartition(".")[0]
        if talk not in order:
            raise UserError(f"{path} names {segment.wav!r:.80}, which is not a recording of the set: restore it.")
        given.append(Segment(f"{talk}.wav", segment.offset, segment.duration))
    return tuple(sorted(given, key=lambda segment: order[segment.wav.removesuffix(".wav")]))


class _RecordingFolder:
    """The files of an import: recordings, FILE_ORDER and segments, at any depth below a folder."""

    def __init__(self, origin: Path, folder: Path) -> None:
        self.origin = origin
        self.folder = folder
        files = _plain_files(origin, folder)
        self.talks = self._by_talk([path for path in files if path.suffix.lower() in SUFFIXES])
        self.order = self._single([path for path in files if path.name == "FILE_ORDER"])
        self.segments = self._single([path for path in files if path.suffix.lower() in {".yaml", ".yml"}])
        if not self.talks:
            kinds = ", ".join(SUFFIXES[:4])
            raise UserError(f"{origin} has no recording ({kinds}, ...): name the folder that has them.")

    def names(self) -> list[str]:
        """Return the paths of all files that are read, relative to the folder."""
        extra = [path for path in (self.order, self.segments) if path]
        return sorted(path.relative_to(self.folder).as_posix() for path in [*self.talks.values(), *extra])

    def _by_talk(self, paths: Sequence[Path]) -> dict[str, Path]:
        talks: dict[str, Path] = {}
        for path in paths:
            if (other := talks.setdefault(path.name[: -len(path.suffix)], path)) is not path:
                raise UserError(f"{self.origin} has {other.name} twice, or also as {path.name}: keep one.")
        return talks

    def _single(self, paths: Sequence[Path]) -> Path | None:
        if len(paths) > 1:
            names = " and ".join(path.relative_to(self.folder).as_posix() for path in paths[:2])
            raise UserError(f"{self.origin} has {names}: keep only the right one.")
        return paths[0] if paths else None

    def ordered(self) -> tuple[tuple[str, ...], list[Finding]]:
        """Return the talk ids in order, and warnings about the order."""
        if self.order is None:
            sentence = "has no FILE_ORDER, so its recordings are sorted by name."
            return tuple(sorted(self.talks)), [Finding(self.origin.name, "file-order", sentence, Severity.WARNING)]
        named = {path.name: talk for talk, path in self.talks.items()} | {talk: talk for talk in self.talks}
        entries = read_file_order(self.order)
        if unknown := [entry for entry in entries if entry not in named]:
            raise UserError(
                f"{self.origin} has no recording of {unknown[0]!r}, which its FILE_ORDER names: restore it."
            )
        talks = tuple(named[entry] for entry in entries)  # an entry is a talk's id, which may have dots, or a file name
        left_out = sorted(set(self.talks) - set(talks))
        sentence = "is not in FILE_ORDER and is left out."
        return talks, [Finding(self.talks[t].name, "file-order", sentence, Severity.WARNING) for t in left_out]


def _plain_files(origin: Path, folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"The folder {folder} is missing: correct the path of the test set.")
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            found.append(path)
        if len(found) > _FILES:
            raise UserError(f"{origin} has more than {_FILES} files: name the folder of the recordings.")
    return found


def _write(source: _RecordingFolder, final: Path) -> None:
    partial = final.with_name(f"{final.name}.partial")
    talks, findings = source.ordered()
    if source.segments is not None:
        _segments(source.segments, talks)  # raises before hours of audio are decoded
    with progress(f"import {final.name}", len(talks)) as advance:
        for talk in talks:
            findings += _import_talk(source.talks[talk], talk, partial)
            advance(1)
    if source.segments is not None:
        write_bytes(partial / "segments.yaml", read_bounded(source.segments, 16 << 20))
    write_bytes(partial / "FILE_ORDER", "".join(f"{talk}\n" for talk in talks).encode())
    # The folder's final name has the key of the recordings.
    FINDINGS.entry(partial, final.name, "findings").write(tuple(findings))
    shutil.rmtree(partial / "unpacked", ignore_errors=True)
    shutil.rmtree(partial / "findings", ignore_errors=True)
    publish_directory(partial, final)


def _import_talk(source: Path, talk: str, partial: Path) -> Iterable[Finding]:
    """Convert one recording unless that is done; its findings are written last, which marks it as complete."""
    target = partial / "audio" / f"{talk}.wav"
    entry = FINDINGS.entry(partial / "findings", talk, talk)
    if not target.is_file():
        entry.path.unlink(missing_ok=True)
    return entry.get(lambda: normalise(source, target))


def _read(final: Path) -> Recordings:
    entry = FINDINGS.entry(final, final.name, "findings")
    if (found := entry.read()) is None:
        raise UserError(f"{entry.path} is missing: {FINDINGS.advice}.")
    return Recordings(final, read_file_order(final / "FILE_ORDER"), found)
