"""The work directory, where every command stores its files."""

import os
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import UserError

DEFAULT = "work"
VARIABLE = "HARNESS_WORKDIR"


class _Folder:
    """A folder of the work directory that is called like the attribute."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, workdir: "WorkDir", owner: type) -> Path:
        return workdir.root / self._name


@dataclass(frozen=True)
class WorkDir:
    """The work directory `root` and its folders; results in them are named by the sha256 of their inputs."""

    root: Path
    artifacts = _Folder()
    """Built artifacts, `<system>-<key>`: the key identifies the artifact, the system's name is a label."""
    testsets = _Folder()
    """Imported test sets in the layout of the ACL 60/60 release."""
    segmentations = _Folder()
    """Segmentations by content key, and in `frames` the frame probabilities on which they are based."""
    hypotheses = _Folder()
    """Translations by content key."""
    measurements = _Folder()
    """Stored measurements by content key."""
    scores = _Folder()
    """Scores by content key."""
    resegmented = _Folder()
    """Translations cut along reference lines, by content key."""
    evaluations = _Folder()
    """Evaluations, one file for each system, test set and direction; the leaderboard reads them."""
    leaderboard = _Folder()
    """The leaderboard's files."""
    finetune = _Folder()
    """States and losses of fine-tuning runs by content key."""
    submissions = _Folder()
    """Packed archives."""
    external = _Folder()
    """Imported translations of other systems."""
    locks = _Folder()
    """Lock files of the files that are being written."""
    cache = _Folder()
    """Checksums that are slow to compute again."""


def open_workdir(path: str | None) -> WorkDir:
    """Create the work directory where needed and check that it can be written.

    Raises:
        UserError: it cannot be created or written.
    """
    root = Path(path or os.environ.get(VARIABLE, DEFAULT)).expanduser().resolve()
    probe = root / f".probe.{os.getpid()}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        what = f"The work directory {root} cannot be written ({error.strerror})"
        raise UserError(f"{what}: name another one with --workdir.") from error
    return WorkDir(root)
