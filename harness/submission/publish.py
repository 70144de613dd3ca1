"""Packing every entry of a submission from what is stored, and checking what was packed."""

from collections.abc import Sequence

import msgspec

from harness.calibration.system_artifacts import find_artifact
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.findings import Finding
from harness.core.progress import log
from harness.core.workdir import WorkDir
from harness.evaluation.evaluate import SystemUnderTest
from harness.inference.engine import Engine, EngineLoader
from harness.inference.generate import generate
from harness.submission.archive import Packed, PackRequest, pack
from harness.submission.check import check_archive, expectation
from harness.submission.manifest import ModelEntry, Submission
from harness.testsets.load import load_test_set, test_set_name
from harness.testsets.testset import TestSet


class CheckedArchive(msgspec.Struct, frozen=True):
    """A packed archive and what the check says about it."""

    packed: Packed
    findings: tuple[Finding, ...]


def submitted_sets(task: Task, directions: Sequence[str], workdir: WorkDir) -> tuple[TestSet, ...]:
    """Import every set that archives of these directions hold, each once.

    Raises:
        UserError: one is not there or does not read.
    """
    names = dict.fromkeys(name for direction in directions for name in task.submitted(direction))
    return tuple(load_test_set(name, workdir) for name in names)


def present_sets(task: Task, workdir: WorkDir) -> tuple[TestSet, ...]:
    """Import the submitted sets of all directions that are there, and say which are not: their lines go uncounted."""
    found = []
    for name in dict.fromkeys(name for direction in task.directions for name in task.submitted(direction)):
        try:
            found.append(load_test_set(name, workdir))
        except UserError as error:
            log(f"lines are not counted: {error}")
    return tuple(found)


def publish(submission: Submission, task: Task, device: str, workdir: WorkDir) -> tuple[CheckedArchive, ...]:
    """Pack and check every entry of a submission; needs no model, only its stored translations.

    Raises:
        UserError: a system is not built or its translations are not there, or the claimed condition is contradicted.
    """
    test_sets = submitted_sets(task, list(submission.entries), workdir)
    expected = expectation(task, test_sets)
    done = []
    for entry in submission.model_entries():
        packed = pack(_request(submission, entry, task, test_sets, (device, workdir)), workdir)
        done.append(CheckedArchive(packed, check_archive(packed.archive, expected)))
    return tuple(done)


def _request(
    submission: Submission,
    entry: ModelEntry,
    task: Task,
    test_sets: Sequence[TestSet],
    where: tuple[str, WorkDir],
) -> PackRequest:
    device, workdir = where
    artifact = find_artifact(task, entry.system, workdir)
    under_test = SystemUnderTest(task, artifact, _no_model(entry), device, workdir)
    names = set(map(test_set_name, task.submitted(entry.direction)))
    wanted = [test_set for test_set in test_sets if test_set.name in names]
    made = tuple(
        generate(under_test.request(test_set, entry.direction), workdir, under_test.engine) for test_set in wanted
    )
    return PackRequest(submission, entry, task, artifact, made, tuple(test_sets))


def _no_model(entry: ModelEntry) -> EngineLoader:
    """Stand where a model would be loaded: packing reads translations and never makes them."""

    def load() -> Engine:
        raise UserError(
            f"{entry.system} has not translated all test sets in {entry.direction}: "
            f"`harness run --stage evaluate --system {entry.system}` does that."
        )

    return load
