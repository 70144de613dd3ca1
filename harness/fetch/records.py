"""What the first fetch of a source found; later fetches must find the same."""

import msgspec

from harness.core.checksums import FileDigest
from harness.core.store import Store, StoreEntry
from harness.core.workdir import WorkDir
from harness.fetch.download import Expected


class Record(msgspec.Struct, frozen=True):
    """What the first fetch of a source found.

    Attributes:
        revision: commit on the hub; empty for files at addresses of their own.
        files: digest of each file that was fetched, by path below the source's target.
        listing: what the hub publishes of each file of the revision.
    """

    revision: str = ""
    files: dict[str, FileDigest] = {}
    listing: dict[str, Expected] = {}


RECORDS = Store("download-record", Record, 2, "remove it to record the source again")


def record_entry(workdir: WorkDir, source: str) -> StoreEntry[Record]:
    """Return where the record of a source is stored."""
    return RECORDS.entry(workdir.cache / "fetched", source, source)
