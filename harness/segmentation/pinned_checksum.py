"""Pinning a file by its sum: named by the task, else recorded at first use and enforced from then on."""

from pathlib import Path

from harness.core.checksums import directory_digests
from harness.core.errors import UserError
from harness.core.files import key_of, read_json, write_json
from harness.core.workdir import WorkDir


def verify_checksum(path: Path, expected: str, workdir: WorkDir) -> str:
    """Return a file's sha256 after checking it.

    Args:
        path: the file.
        expected: the sum that it must have; empty where none is known yet.
        workdir: where a first sum is recorded.

    Raises:
        UserError: the file is missing, or is not the one that the sum names.
    """
    if not path.is_file():
        raise UserError(
            f"{path} is missing: put the SHAS checkpoint there, or name another one in [segmentation.shas]."
        )
    found = directory_digests(path.parent, [path.name], workdir.cache)[path.name].sha256
    record = workdir.segmentations / "sums" / f"{key_of(str(path.resolve()))}.json"
    if not expected and not record.is_file():
        write_json(record, {"path": str(path.resolve()), "sha256": found})
        return found
    wanted, source = (
        (expected, "the task names") if expected else (_recorded(record), f"{record} recorded at first use")
    )
    if found != wanted:
        raise UserError(
            f"{path} has the sha256 {found}, but {source} {wanted}: restore the file, or change that sum if "
            "you replaced it on purpose."
        )
    return found


def _recorded(record: Path) -> str:
    value = read_json(record)
    if not isinstance(value, dict) or not isinstance(value.get("sha256"), str):
        raise UserError(f"{record} does not hold a sum: delete it to record the file anew.")
    return str(value["sha256"])
