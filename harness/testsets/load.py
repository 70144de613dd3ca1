"""Loading test sets: from a manifest in `data/manifests/testsets/` to a test set that has been read and checked."""

from pathlib import Path

from harness.config.task import Task
from harness.core import manifests
from harness.core.errors import UserError
from harness.core.progress import log_once
from harness.core.workdir import WorkDir
from harness.testsets.layout import FORMAT, LAYOUTS, LayoutRequest, TestSetManifest
from harness.testsets.testset import TestSet


def test_set_name(entry: str) -> str:
    """Return the name of the set that a task's entry denotes: the entry itself, or the name in its .toml file.

    Raises:
        UserError: the file is missing or does not read.
    """
    is_file = entry.endswith(".toml")
    return manifests.read_toml(Path(entry), TestSetManifest, FORMAT).name if is_file else entry


def campaign_name(entry: str) -> str:
    """Return the folder of a set in the campaign's archive; the set's own files are not needed.

    Raises:
        UserError: there is no such manifest, or it does not read.
    """
    return manifests.read_toml(manifests.find("testsets", entry), TestSetManifest, FORMAT).campaign_name


def load_if_published(name: str, task: Task, workdir: WorkDir) -> TestSet | None:
    """Import a test set of a task, or return None for a missing blind set, which may not be published yet.

    Raises:
        UserError: the set is missing or cannot be read, and is not only a blind set of the task.
    """
    try:
        return load_test_set(name, workdir)
    except UserError as error:
        if any(name in sets for sets in task.test_sets.values()):
            raise
        log_once(f"left out: {error}")
        return None


def load_test_set(name: str, workdir: WorkDir) -> TestSet:
    """Import the test set of a manifest's name, or of the path of a .toml file.

    Converted files are written to the work directory and read from there the next time.

    Raises:
        UserError: there is no such manifest or layout, or a file of the set is missing, damaged or inconsistent.
    """
    path = manifests.find("testsets", name)
    manifest = manifests.read_toml(path, TestSetManifest, FORMAT)
    return LAYOUTS.get(manifest.layout)(LayoutRequest(manifest, path, workdir))
