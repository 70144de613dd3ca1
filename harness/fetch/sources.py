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
    """One file at an address.

    Attributes:
        url: where it is.
        path: its name below the source's target.
        sha256: its sum; empty where none is published: then the first download's is recorded and enforced.
    """

    url: str
    path: str
    sha256: str = ""

    def __post_init__(self) -> None:
        """Refuse sums that are none, and names that leave the target."""
        if self.sha256 and not _SHA256.fullmatch(self.sha256):
            raise ValueError("sha256 must be empty or 64 hex digits in lower case")
        if is_unsafe(self.path):
            raise ValueError(f"{self.path!r} is no plain path")


class Hub(ManifestTable, frozen=True):
    """A model on the Hugging Face hub, which publishes the sums of its files.

    Attributes:
        repository: e.g. `Qwen/Qwen2-Audio-7B`.
        include: patterns of the files to fetch, as in a shell.
        revision: commit; empty for the newest at the first fetch, which is recorded and kept.
    """

    repository: str
    include: tuple[str, ...]
    revision: str = ""


class DownloadSource(ManifestTable, frozen=True):
    """Something that can be fetched.

    Attributes:
        name: as `harness fetch` names it.
        title: one line for people.
        licence: under which licence it may be used.
        target: folder that it goes to; a relative path is read against the project's folder.
        files: files at addresses of their own.
        hub: files on the hub.
        unpack: folder in the one archive that is taken out of it; empty for files that stay as they are.
    """

    name: str
    title: str
    licence: str
    target: str
    files: tuple[SourceFile, ...] = ()
    hub: Hub | None = None
    unpack: str = ""

    def __post_init__(self) -> None:
        """Refuse a source that names nothing, or an archive that is not one."""
        if bool(self.files) == bool(self.hub):
            raise ValueError("a source has either files or a hub")
        if self.unpack and (len(self.files) != 1 or is_unsafe(self.unpack) or "/" in self.unpack):
            raise ValueError("a source to unpack has one file and names one folder in it")

    @property
    def folder(self) -> Path:
        """The folder that it goes to."""
        return manifests.data_root() / Path(self.target).expanduser()


def load_source(name: str) -> DownloadSource:
    """Read a source by name, or from the path of a .toml file.

    Raises:
        UserError: unknown or unreadable.
    """
    return manifests.read_toml(manifests.find("sources", name), DownloadSource, FORMAT)


def all_sources() -> list[DownloadSource]:
    """Return every source that ships, by name.

    Raises:
        UserError: one does not read.
    """
    found = [load_source(name) for name in manifests.names("sources")]
    for source, name in zip(found, manifests.names("sources"), strict=True):
        if source.name != name:
            raise UserError(f"The manifest of source {name!r} calls itself {source.name!r}: rename one of them.")
    return found
