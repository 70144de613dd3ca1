"""The work directory, where every command stores its files."""

import os
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import UserError

DEFAULT = "work"
VARIABLE = "HARNESS_WORKDIR"


@dataclass(frozen=True)
class WorkDir:
    """Folders inside the work directory; results in them are named by the sha256 of their inputs.

    Attributes:
        root: the work directory itself.
    """

    root: Path

    @property
    def artifacts(self) -> Path:
        """Built artifacts, `<system>-<key>`: the key identifies the artifact, the system's name is a label."""
        return self.root / "artifacts"

    @property
    def testsets(self) -> Path:
        """Imported test sets in the layout of the ACL 60/60 release."""
        return self.root / "testsets"

    @property
    def segmentations(self) -> Path:
        """Segmentations by content key, and in `frames` the frame probabilities on which they are based."""
        return self.root / "segmentations"

    @property
    def hypotheses(self) -> Path:
        """Translations by content key."""
        return self.root / "hypotheses"

    @property
    def measurements(self) -> Path:
        """Stored measurements by content key."""
        return self.root / "measurements"

    @property
    def scores(self) -> Path:
        """Scores by content key."""
        return self.root / "scores"

    @property
    def evaluations(self) -> Path:
        """Evaluations, one file for each system, test set and direction; the leaderboard reads them."""
        return self.root / "evaluations"

    @property
    def leaderboard(self) -> Path:
        """The leaderboard's files."""
        return self.root / "leaderboard"

    @property
    def finetune(self) -> Path:
        """States and losses of fine-tuning runs by content key."""
        return self.root / "finetune"

    @property
    def submissions(self) -> Path:
        """Packed archives."""
        return self.root / "submissions"

    @property
    def external(self) -> Path:
        """Imported translations of other systems."""
        return self.root / "external"

    @property
    def locks(self) -> Path:
        """Lock files of the files that are being written."""
        return self.root / "locks"

    @property
    def cache(self) -> Path:
        """Checksums that are slow to compute again."""
        return self.root / "cache"


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
        raise UserError(
            f"The work directory {root} cannot be written ({error.strerror}): name another one with --workdir."
        ) from error
    return WorkDir(root)
