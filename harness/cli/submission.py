"""`harness pack` and `harness check`: submission archives."""

import sys
from pathlib import Path

import click

from harness.cli.options import Options, common, device_option
from harness.core.findings import Finding, exit_code
from harness.submission.check import check_archive, expectation
from harness.submission.manifest import load_submission
from harness.submission.publish import CheckedArchive, present_sets, publish_submission


@click.command("pack")
@click.argument("submission", default="")
@device_option
@common
def pack_command(options: Options, submission: str, device: str) -> None:
    """Write and check the archive of every entry of SUBMISSION (a name or .toml file; by default the task's name)."""
    sys.exit(show_package(options, submission or options.task.name, device))


def show_package(options: Options, submission: str, device: str) -> int:
    """Write, check and print the archives of a submission; return the exit code of the findings."""
    archives = publish_submission(load_submission(submission, options.task), options.task, device, options.workdir)
    options.emit(archives, "\n".join(map(_line, archives)))
    return exit_code(finding for archive in archives for finding in archive.findings)


def _line(checked: CheckedArchive) -> str:
    findings = "".join(f"\n  {finding}" for finding in checked.findings) or "  check: no findings"
    return f"{checked.archive.path}{findings}"


@click.command("check")
@click.argument("archives", nargs=-1, required=True, type=click.Path(path_type=Path))
@common
def check_command(options: Options, archives: tuple[Path, ...]) -> None:
    """Check ARCHIVES of any team against the task's rules: exit code 1 when there is an error."""
    expected = expectation(options.task, present_sets(options.task, options.workdir))
    findings = [finding for archive in archives for finding in check_archive(archive, expected)]
    options.emit(findings, _findings(findings))
    sys.exit(exit_code(findings))


def _findings(findings: list[Finding]) -> str:
    return "\n".join(map(str, findings)) or "no findings"
