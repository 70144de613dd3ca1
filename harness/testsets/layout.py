"""Manifests of test sets, and the registry of the layouts in which their files can be.

A new layout is one module in this folder, or in an installed package with an entry point of the group
`stcompress.layouts`, that adds a function from a manifest to a test set:

    LAYOUTS.add("mine", read, __name__)
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.core import manifests
from harness.core.errors import UserError
from harness.core.registry import Registry
from harness.core.workdir import WorkDir
from harness.testsets.testset import TestSet

FORMAT = 1
"""Version of manifests."""
KEY_FORMAT = 1
"""Version of `TestSet.key`: raised whenever the same files give another test set."""


class TestSetManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The description of a test set.

    Attributes:
        dataset: the data set that it belongs to, as provenance names it.
        campaign_name: its folder in the campaign's archive.
        layout: name of the layout of its files. `acl6060`: the release of ACL 60/60. `demo`: the demo's corpus, as
            committed. `archive`: a folder with an archive of the campaign. `folder`: audio and FILE_ORDER. `audio`: any
            folder with audio. The last three may have segments (one YAML file) and texts
            (`text/<talk>.<language>.txt`).
        path: folder of the split's folder, the archive or the recordings; a relative path is read against the project's
            folder.
        split: `dev` or `eval`; empty for a set that is not part of a release.
        source: language code of the speech.
        targets: language codes of the references; empty for a set without references.
        talks: expected number of recordings, or None where it is not fixed; `sentences` likewise.
        url: where it can be downloaded.
    """

    __test__ = False

    name: str
    dataset: str
    campaign_name: str
    layout: str
    path: str
    source: str
    targets: tuple[str, ...]
    licence: str
    split: str = ""
    talks: int | None = None
    sentences: int | None = None
    url: str = ""

    @property
    def folder(self) -> Path:
        """The folder of `path`."""
        return manifests.data_root() / Path(self.path).expanduser()

    def check_counts(self, where: Path, talks: int, sentences: int) -> None:
        """Compare the numbers of recordings and sentences with the expected ones.

        Raises:
            UserError: one of them differs.
        """
        for what, found, expected in (("talks", talks, self.talks), ("sentences", sentences, self.sentences)):
            if expected is not None and found != expected:
                wrong = f"{where} has {found} {what}, but its manifest expects {expected}"
                raise UserError(f"{wrong}: restore the released files.")


@dataclass(frozen=True)
class LayoutRequest:
    """What a layout's function is called with: a manifest, its file, and where converted files are written."""

    manifest: TestSetManifest
    path: Path
    workdir: WorkDir

    def missing(self, folder: Path, advice: str) -> UserError:
        """Return the error for a folder of the test set that does not exist."""
        return UserError(
            f"The folder {folder} of test set {self.manifest.name!r} is missing: {advice}, or set another `path` in a "
            f"copy of {self.path} and use the copy's path as the test set's name."
        )


LAYOUTS: Registry[Callable[[LayoutRequest], TestSet]] = Registry("layout", "harness.testsets", "layouts")
"""Functions that import and check a test set. They raise UserError when a file is missing, damaged or inconsistent."""
