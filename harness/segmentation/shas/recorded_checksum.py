"""Verifying a file's checksum: named by the task, else recorded at first use and enforced from then on."""

from pathlib import Path

from harness.core.checksums import directory_digests
from harness.core.errors import UserError
from harness.core.store import Store
from harness.core.workdir import WorkDir

RECORDED = Store("recorded-checksum", str, 1, "remove it to record the file again")


def verify_checksum(path: Path, expected: str, workdir: WorkDir) -> str:
    """Return a file's sha256 after verifying it.

    Args:
        path: the file.
        expected: the sha256 that it must have; empty where none is known yet.
        workdir: where the sha256 is recorded at first use.

    Raises:
        UserError: the file is missing, or has another sha256.
    """
    if not path.is_file():
        raise UserError(
            f"{path} is missing: put the SHAS checkpoint there, or name another one in [segmentation.shas]."
        )
    found = directory_digests(path.parent, [path.name], workdir.cache)[path.name].sha256
    record = RECORDED.entry(workdir.segmentations / "sums", str(path.resolve()))
    wanted = expected or record.get(lambda: found)
    if found != wanted:
        source = "the task names" if expected else f"{record.path} recorded at first use"
        advice = "correct the task" if expected else "remove that record if you replaced it on purpose"
        raise UserError(f"{path} has the sha256 {found}, but {source} {wanted}: restore the file, or {advice}.")
    return found
