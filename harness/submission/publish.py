"""Writes and checks the archives of all entries of a submission, from stored translations."""

from collections.abc import Sequence

import msgspec

from harness.calibration.system_artifacts import find_artifact
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.findings import Finding
from harness.core.progress import log
from harness.core.workdir import WorkDir
from harness.evaluation.evaluate import SystemUnderTest
from harness.inference.engine import Engine
from harness.inference.generate import generate
from harness.submission.archive import ArchiveRequest, SubmissionArchive, write_archive
from harness.submission.check import check_archive, expectation
from harness.submission.manifest import ModelEntry, Submission
from harness.testsets.load import load_test_set, test_set_name
from harness.testsets.testset import TestSet


class CheckedArchive(msgspec.Struct, frozen=True):
    """An archive with the findings of its check."""

    archive: SubmissionArchive
    findings: tuple[Finding, ...]


def present_sets(task: Task, workdir: WorkDir) -> tuple[TestSet, ...]:
    """Import the submitted test sets of all directions, except missing ones, whose lines cannot be counted."""
    found = []
    for name in dict.fromkeys(name for direction in task.directions for name in task.submitted(direction)):
        try:
            found.append(load_test_set(name, workdir))
        except UserError as error:
            log(f"Lines are not counted: {error}")
    return tuple(found)


def publish_submission(submission: Submission, task: Task, device: str, workdir: WorkDir) -> tuple[CheckedArchive, ...]:
    """Write and check the archive of every entry of a submission; no model is loaded.

    Raises:
        UserError: a system is not built, its translations are missing, or the claimed condition is wrong.
    """
    names = dict.fromkeys(name for direction in submission.entries for name in task.submitted(direction))
    test_sets = [load_test_set(name, workdir) for name in names]
    expected = expectation(task, test_sets)
    archives = (
        write_archive(_request(submission, entry, task, test_sets, device, workdir), workdir)
        for entry in submission.model_entries()
    )
    return tuple(CheckedArchive(archive, check_archive(archive.path, expected)) for archive in archives)


def _request(
    submission: Submission, entry: ModelEntry, task: Task, test_sets: Sequence[TestSet], device: str, workdir: WorkDir
) -> ArchiveRequest:
    def load() -> Engine:  # archives are written from stored translations only
        raise UserError(
            f"{entry.system} has not translated all test sets in {entry.direction}: "
            f"run `harness run --stage evaluate --system {entry.system}`."
        )

    artifact = find_artifact(task, entry.system, workdir)
    under_test = SystemUnderTest(task, artifact, load, device, workdir)
    names = set(map(test_set_name, task.submitted(entry.direction)))
    requests = (under_test.request(each, entry.direction) for each in test_sets if each.name in names)
    hypotheses = tuple(generate(request, workdir, under_test.engine) for request in requests)
    return ArchiveRequest(submission, entry, task, artifact, hypotheses, tuple(test_sets))
