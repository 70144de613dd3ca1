"""Archives for the tests of `check`: valid, faulty and malicious."""

import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from harness.config.task import load_task
from harness.submission.check import DESCRIPTION_SUFFIX, Expectation, ExpectedSet

NAME = "TOY_IWSLT26_ModelCompression_en-de_constrained_primary"
NAMES = load_task("demo").names
FOLDERS = ("MODELCOMPRESSION/", "MODELCOMPRESSION/ACL6060/", "MODELCOMPRESSION/TVSERIES/")
ACL, TV = "MODELCOMPRESSION/ACL6060/en_de.txt", "MODELCOMPRESSION/TVSERIES/en_de.txt"
EXPECTED = Expectation(
    NAMES,
    {
        "en-de": (ExpectedSet("ACL6060", 3), ExpectedSet("TVSERIES", None)),
        "en-zh": (ExpectedSet("ACL6060", 3),),
    },
)
"""Two sets, of which one has 3 segments."""


@dataclass(frozen=True)
class Entry:
    """One member: a folder when the name ends with a slash."""

    name: str
    data: bytes = b""
    mode: int = stat.S_IFREG | 0o644
    compression: int = zipfile.ZIP_DEFLATED


GOOD = (
    *(Entry(name, mode=stat.S_IFDIR | 0o755) for name in FOLDERS),
    Entry(ACL, b"Eins.\nZwei.\nDrei.\n"),
    Entry(TV, "Größe.\n".encode()),
)


def write_zip(folder: Path, entries: tuple[Entry, ...], name: str = f"{NAME}.zip") -> Path:
    """Write an archive of these members, with a description beside it, and return its path."""
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name)
            info.create_system = 3
            info.external_attr = entry.mode << 16
            info.compress_type = entry.compression
            archive.writestr(info, entry.data)
    path.with_name(f"{path.stem}{DESCRIPTION_SUFFIX}").touch()
    return path


def without(name: str) -> tuple[Entry, ...]:
    """Return the good archive's members but one."""
    assert any(entry.name == name for entry in GOOD)
    return tuple(entry for entry in GOOD if entry.name != name)


def with_text(data: bytes) -> tuple[Entry, ...]:
    """Return the good archive's members, the 3-line file replaced."""
    return (*without(ACL), Entry(ACL, data))
