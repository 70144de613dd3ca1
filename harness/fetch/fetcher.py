"""The verb: from a source to files that are whole and are what they should be."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.core.archives.unpack import unpack
from harness.core.checksums import FileDigest, directory_digests
from harness.core.errors import UserError
from harness.core.files import publish_directory
from harness.core.progress import log, progress
from harness.core.workdir import WorkDir
from harness.fetch import hub as on_hub
from harness.fetch.download import Expected, UnreachableError, download, git_blob, new_session
from harness.fetch.records import Record, read_record, write_record
from harness.fetch.sources import DownloadSource, Hub

if TYPE_CHECKING:
    from requests import Session


class Fetched(msgspec.Struct, frozen=True):
    """A source that is there.

    Attributes:
        source: its name.
        path: the folder, or what was unpacked.
        revision: commit on the hub, or empty.
        files: sum and size by path.
        downloaded: how many files came over the network this time.
    """

    source: str
    path: str
    revision: str
    files: dict[str, FileDigest]
    downloaded: int


class _Wanted(msgspec.Struct, frozen=True):
    """A file of a source."""

    path: str
    url: str
    expected: Expected


class _FetchJob:
    """One source being fetched."""

    def __init__(self, source: DownloadSource, workdir: WorkDir) -> None:
        self.source = source
        self.workdir = workdir
        self.folder = workdir.cache / "downloads" / source.name if source.unpack else source.folder
        self.record_path = workdir.cache / "fetched" / f"{source.name}.json"
        self.record = read_record(self.record_path)
        self.session: Session | None = None

    def online(self) -> "Session":
        """Return the session, made when the network is needed first."""
        self.session = self.session or new_session()
        return self.session

    def list_hub(self, hub: Hub) -> None:
        """Ask the hub once for a revision's files and their sums; from then on they are in the record."""
        revision = hub.revision or self.record.revision or on_hub.newest(self.online(), hub)
        if revision != self.record.revision:
            self.record = Record(revision=revision, listing=on_hub.listing(self.online(), hub, revision))
            write_record(self.record_path, self.record)

    def keep(self, path: str, found: FileDigest) -> None:
        """Record a file that is verified."""
        files = {**self.record.files, path: found}
        self.record = msgspec.structs.replace(self.record, files=files)
        write_record(self.record_path, self.record)


def fetch(source: DownloadSource, workdir: WorkDir) -> Fetched:
    """Bring a source here; what is there is verified, not downloaded, and what broke off goes on.

    Args:
        source: what to fetch.
        workdir: its `cache` records sums and revisions, and holds archives.

    Raises:
        UserError: no network (the sentence says what to download by hand and where to put it), a file that is not the
            one that was published or recorded, or an archive that is refused.
    """
    job = _FetchJob(source, workdir)
    if source.unpack and (source.folder / source.unpack).is_dir() and not job.record.files:
        log(f"{source.folder / source.unpack} is there already and was not made by this command: it is left alone.")
        return Fetched(source.name, str(source.folder / source.unpack), "", {}, 0)
    try:
        wanted = _wanted(job)
    except UnreachableError as error:
        raise UserError(f"{error}: {_by_hand_all(source, job.record)}") from error
    try:
        downloaded = _bring_all(job, wanted)
    except UnreachableError as error:
        raise UserError(f"{error}: {_by_hand(job, wanted)}") from error
    path = _unpacked(job, downloaded) if source.unpack else source.folder
    return Fetched(source.name, str(path), job.record.revision, job.record.files, downloaded)


def _wanted(job: _FetchJob) -> list[_Wanted]:
    """List a source's files with what is known of each; the record is what the first fetch found."""
    source, known = job.source, job.record.files
    if source.hub is None:
        return [_Wanted(f.path, f.url, _known(known.get(f.path), Expected(sha256=f.sha256))) for f in source.files]
    job.list_hub(source.hub)
    return [
        _Wanted(path, on_hub.address(source.hub, job.record.revision, path), _known(known.get(path), expected))
        for path, expected in sorted(job.record.listing.items())
    ]


def _known(recorded: FileDigest | None, expected: Expected) -> Expected:
    """Return what must hold: what is published, else what the first fetch recorded."""
    if expected.sha256 or recorded is None:
        return expected
    return replace(expected, sha256=recorded.sha256, bytes=recorded.bytes, origin="recorded at the first fetch")


def _bring_all(job: _FetchJob, wanted: Sequence[_Wanted]) -> int:
    downloaded = 0
    with progress(f"fetch {job.source.name}", len(wanted)) as advance:
        for one in wanted:
            downloaded += _bring(job, one)
            advance(1)
    return downloaded


def _bring(job: _FetchJob, one: _Wanted) -> int:
    """Verify a file that is there, or download it; returns how many came over the network."""
    target = job.folder / one.path
    if target.is_file():
        found = directory_digests(job.folder, [one.path], job.workdir.cache)[one.path]
        _verify(target, found, one.expected)
        job.keep(one.path, found)
        return 0
    job.keep(one.path, download(job.online(), one.url, target, one.expected))
    return 1


def _verify(path: Path, found: FileDigest, expected: Expected) -> None:
    wrong = expected.sha256 and found.sha256 != expected.sha256
    wrong = wrong or (expected.bytes is not None and found.bytes != expected.bytes)
    if wrong or (expected.blob and git_blob(path) != expected.blob):
        raise UserError(
            f"{path} is not the file that was {expected.origin} (its sha256 is {found.sha256}): remove it and fetch "
            "again."
        )


def _unpacked(job: _FetchJob, downloaded: int) -> Path:
    """Take the wanted folder out of the archive, unless that is done."""
    final = job.source.folder / job.source.unpack
    if final.is_dir() and not downloaded:
        return final
    partial = job.source.folder / f".{job.source.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        unpack(job.folder / job.source.files[0].path, partial)
        if not (partial / job.source.unpack).is_dir():
            raise UserError(f"The archive of {job.source.name} has no folder {job.source.unpack!r}: correct `unpack`.")
        publish_directory(partial / job.source.unpack, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def _by_hand(job: _FetchJob, wanted: Sequence[_Wanted]) -> str:
    """Say what to download by hand, and where to put it."""
    missing = [(one.url, job.folder / one.path) for one in wanted if not (job.folder / one.path).is_file()]
    steps = "; ".join(f"download {url} by hand and put it at {target}" for url, target in missing)
    return f"{steps}; then fetch again."


def _by_hand_all(source: DownloadSource, record: Record) -> str:
    """Say what to download by hand where not even the list of files is known."""
    assert source.hub is not None  # noqa: S101 - addresses of files are in the source
    where = on_hub.page(source.hub, source.hub.revision or record.revision)
    return f"download {', '.join(source.hub.include)} from {where} by hand, and put them into {source.folder}."
