"""Sources: what can be fetched, from where and to where, as data in `data/manifests/sources/`."""

import re
from pathlib import Path

from harness.core import manifests
from harness.core.archives.archive_members import is_unsafe
from harness.core.errors import UserError
from harness.core.manifests import ManifestTable

FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


class SourceFile(ManifestTable, frozen=True):
    """One file at an address, with its path below the source's target.

    Where no sha256 is published it is empty: that of the first download is recorded and enforced.
    """

    url: str
    path: str
    sha256: str = ""

    def __post_init__(self) -> None:
        """Refuse invalid checksums, and paths outside the target."""
        if self.sha256 and not _SHA256.fullmatch(self.sha256):
            raise ValueError("sha256 must be empty or 64 hex digits in lower case")
        if is_unsafe(self.path):
            raise ValueError(f"{self.path!r} is not a plain path")


class Hub(ManifestTable, frozen=True):
    """A model on the Hugging Face hub, e.g. `Qwen/Qwen2-Audio-7B`; the hub publishes checksums of its files.

    Attributes:
        include: shell patterns of the files to fetch.
        revision: commit; empty for the newest one at the first fetch, which is recorded and used from then on.
    """

    repository: str
    include: tuple[str, ...]
    revision: str = ""


class DownloadSource(ManifestTable, frozen=True):
    """Something that can be fetched.

    Attributes:
        target: folder of its files; a relative path is read against the project's folder.
        files: files at addresses of their own; otherwise `hub` names files on the hub.
        unpack: for a source whose one file is an archive, the folder in it that is unpacked; otherwise empty.
    """

    name: str
    title: str
    licence: str
    target: str
    files: tuple[SourceFile, ...] = ()
    hub: Hub | None = None
    unpack: str = ""

    def __post_init__(self) -> None:
        """Refuse a source without files, and `unpack` for other sources than a single archive."""
        if bool(self.files) == bool(self.hub):
            raise ValueError("a source has either files or a hub")
        if self.unpack and (len(self.files) != 1 or is_unsafe(self.unpack) or "/" in self.unpack):
            raise ValueError("a source to unpack has one file and names one folder in it")

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return manifests.data_root() / Path(self.target).expanduser()


def load_source(name: str) -> DownloadSource:
    """Read a source by name, or from the path of a .toml file.

    Raises:
        UserError: it is unknown or unreadable.
    """
    return manifests.read_toml(manifests.find("sources", name), DownloadSource, FORMAT)


def all_sources() -> list[DownloadSource]:
    """Return every source that is included, sorted by name.

    Raises:
        UserError: one does not read.
    """
    found = [load_source(name) for name in manifests.names("sources")]
    for source, name in zip(found, manifests.names("sources"), strict=True):
        if source.name != name:
            raise UserError(f"The manifest of source {name!r} calls itself {source.name!r}: rename one of them.")
    return found
