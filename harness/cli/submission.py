"""`harness pack` and `harness check`: make and check the campaign's archives."""

from pathlib import Path

import click

from harness.cli.options import Options, Output, common, device_option
from harness.core.findings import exit_code
from harness.submission.check import check_archive, expectation
from harness.submission.manifest import load_submission
from harness.submission.publish import CheckedArchive, present_sets, publish_submission


@click.command("pack")
@click.argument("submission", default="")
@device_option
@common
def pack_command(options: Options, submission: str, device: str) -> Output:
    """Write and check the archive of every entry of SUBMISSION (a name or .toml file; by default the task's name)."""
    return package_output(options, submission or options.task.name, device)


def package_output(options: Options, submission: str, device: str) -> Output:
    """Write and check the archives of a submission; the exit code is 1 when a check finds an error."""
    archives = publish_submission(load_submission(submission, options.task), options.task, device, options.workdir)
    code = exit_code(finding for archive in archives for finding in archive.findings)
    return Output(archives, "\n".join(map(_line, archives)), code)


def _line(checked: CheckedArchive) -> str:
    findings = "".join(f"\n  {finding}" for finding in checked.findings) or "  check: no findings"
    return f"{checked.archive.path}{findings}"


@click.command("check")
@click.argument("archives", nargs=-1, required=True, type=click.Path(path_type=Path))
@common
def check_command(options: Options, archives: tuple[Path, ...]) -> Output:
    """Check ARCHIVES of any team against the task's rules: exit code 1 when there is an error."""
    expected = expectation(options.task, present_sets(options.task, options.workdir))
    findings = [finding for archive in archives for finding in check_archive(archive, expected)]
    return Output(findings, "\n".join(map(str, findings)) or "no findings", exit_code(findings))
