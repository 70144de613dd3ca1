"""Fetching a source: its files are downloaded or, where they exist, verified."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from harness.core.archives.unpack import unpack
from harness.core.checksums import FileDigest, directory_digests
from harness.core.errors import UserError
from harness.core.files import publish_directory
from harness.core.locks import exclusive
from harness.core.progress import log, progress
from harness.core.store import Store
from harness.core.workdir import WorkDir
from harness.fetch import hub as on_hub
from harness.fetch.download import Expected, UnreachableError, download, fault, new_session
from harness.fetch.sources import DownloadSource, Hub

if TYPE_CHECKING:
    from requests import Session


class Record(msgspec.Struct, frozen=True):
    """What the first fetch of a source found; later fetches must find the same.

    Attributes:
        revision: commit on the hub; empty for files at addresses of their own.
        files: digest of each file that was fetched, by path below the source's target.
        listing: what the hub publishes of each file of the revision.
    """

    revision: str = ""
    files: dict[str, FileDigest] = {}
    listing: dict[str, Expected] = {}


RECORDS = Store("download-record", Record, 2, "remove it to record the source again")


class Fetched(msgspec.Struct, frozen=True):
    """A source that has been fetched.

    Attributes:
        source: its name.
        path: the folder of the files, or the unpacked folder.
        revision: commit on the hub, or empty.
        files: digest of each file by path.
        downloaded: number of files that were downloaded in this call.
    """

    source: str
    path: str
    revision: str
    files: dict[str, FileDigest]
    downloaded: int


class _RemoteFile(msgspec.Struct, frozen=True):
    """A file of a source: its path, its address, and what is known of it."""

    path: str
    url: str
    expected: Expected


class _FetchJob:
    """The state of fetching one source."""

    def __init__(self, source: DownloadSource, workdir: WorkDir) -> None:
        self.source = source
        self.workdir = workdir
        self.folder = workdir.cache / "downloads" / source.name if source.unpack else source.folder
        self._entry = RECORDS.entry(workdir.cache / "fetched", source.name, source.name)
        self.record = self._entry.read() or Record()

    @cached_property
    def session(self) -> "Session":
        """The session, which is created when the network is first needed."""
        return new_session()

    def list_hub(self, hub: Hub) -> None:
        """Get the files of a revision with their checksums: from the hub once, then from the record."""
        if not self.record.listing or hub.revision not in {"", self.record.revision}:
            found = on_hub.list_files(hub)
            self.record = Record(revision=found.revision, listing=found.files)
            self._entry.write(self.record)

    def keep(self, path: str, found: FileDigest) -> None:
        """Record a file that has been verified."""
        self.record = msgspec.structs.replace(self.record, files={**self.record.files, path: found})
        self._entry.write(self.record)


def fetch(source: DownloadSource, workdir: WorkDir) -> Fetched:
    """Fetch a source: existing files are verified, missing ones downloaded, interrupted downloads resumed.

    The `cache` of the work directory has the records of first fetches, and downloaded archives.

    Raises:
        UserError: there is no network (the sentence says what to download by hand and where to put it), a file differs
            from the published or recorded one, an archive is refused, or another process fetches the source.
    """
    with exclusive(source.folder / source.name, f"is fetching {source.name}", workdir.locks):
        return _fetch(_FetchJob(source, workdir))


def _fetch(job: _FetchJob) -> Fetched:
    source = job.source
    path = source.folder / source.unpack
    if source.unpack and path.is_dir() and not job.record.files:
        log(f"{path} exists and was not unpacked by this command: it is not changed.")
        return Fetched(source.name, str(path), "", {}, 0)
    try:
        wanted = _remote_files(job)
    except UnreachableError as error:
        raise UserError(f"{error}: {_by_hand_all(source, job.record)}") from error
    try:
        downloaded = _fetch_files(job, wanted)
    except UnreachableError as error:
        raise UserError(f"{error}: {_by_hand(job, wanted)}") from error
    if source.unpack and (downloaded or not path.is_dir()):
        _unpack(job)
    return Fetched(source.name, str(path), job.record.revision, job.record.files, downloaded)


def _remote_files(job: _FetchJob) -> list[_RemoteFile]:
    """Return the files of a source with what is published or recorded of each."""
    source, known = job.source, job.record.files
    if source.hub is None:
        return [_RemoteFile(f.path, f.url, _known(known.get(f.path), Expected(sha256=f.sha256))) for f in source.files]
    job.list_hub(source.hub)
    return [
        _RemoteFile(path, on_hub.address(source.hub, job.record.revision, path), _known(known.get(path), expected))
        for path, expected in sorted(job.record.listing.items())
    ]


def _known(recorded: FileDigest | None, expected: Expected) -> Expected:
    """Return what a file must be: as published, or else as recorded at the first fetch."""
    if expected.sha256 or recorded is None:
        return expected
    return replace(expected, sha256=recorded.sha256, bytes=recorded.bytes, origin="recorded at the first fetch")


def _fetch_files(job: _FetchJob, wanted: Sequence[_RemoteFile]) -> int:
    """Verify existing files and download missing ones; return the number of downloads."""
    downloaded = 0
    with progress(f"fetch {job.source.name}", len(wanted)) as advance:
        for one in wanted:
            target = job.folder / one.path
            if target.is_file():
                found = directory_digests(job.folder, [one.path], job.workdir.cache)[one.path]
                if fault(target, found, one.expected):
                    raise UserError(
                        f"{target} is not the file that was {one.expected.origin} (its sha256 is {found.sha256}): "
                        "remove it and fetch again."
                    )
            else:
                found = download(job.session, one.url, target, one.expected)
                downloaded += 1
            job.keep(one.path, found)
            advance(1)
    return downloaded


def _unpack(job: _FetchJob) -> None:
    """Unpack the source's folder from its archive."""
    partial = job.source.folder / f".{job.source.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        unpack(job.folder / job.source.files[0].path, partial)
        if not (partial / job.source.unpack).is_dir():
            raise UserError(f"The archive of {job.source.name} has no folder {job.source.unpack!r}: correct `unpack`.")
        publish_directory(partial / job.source.unpack, job.source.folder / job.source.unpack)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _by_hand(job: _FetchJob, wanted: Sequence[_RemoteFile]) -> str:
    """Return what to download by hand, and where to put it."""
    missing = [(one.url, job.folder / one.path) for one in wanted if not (job.folder / one.path).is_file()]
    return (
        "; ".join(f"download {url} by hand and put it at {target}" for url, target in missing) + "; then fetch again."
    )


def _by_hand_all(source: DownloadSource, record: Record) -> str:
    """Return what to download by hand where the list of files is not known."""
    assert source.hub is not None  # noqa: S101 - addresses of files are in the source
    where = on_hub.page(source.hub, source.hub.revision or record.revision)
    return f"download {', '.join(source.hub.include)} from {where} by hand and put them into {source.folder}."
