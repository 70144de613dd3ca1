"""`harness pack` and `harness check`: archives for the campaign."""

import sys
from pathlib import Path

import click

from harness.cli.options import Options, common, device_option
from harness.core.findings import Finding, exit_code
from harness.submission.check import check_archive, expectation
from harness.submission.manifest import load_submission
from harness.submission.publish import CheckedArchive, present_sets, publish


@click.command("pack")
@click.argument("submission", default="")
@device_option
@common
def pack_command(options: Options, submission: str, device: str) -> None:
    """Pack every entry of SUBMISSION (a manifest's name or .toml file; by default the task's name), and check it."""
    sys.exit(show_package(options, submission or options.task.name, device))


def show_package(options: Options, submission: str, device: str) -> int:
    """Pack, check and print; return the exit code of the findings."""
    done = publish(load_submission(submission, options.task), options.task, device, options.workdir)
    options.emit(done, "\n".join(_line(entry) for entry in done))
    return exit_code(finding for entry in done for finding in entry.findings)


def _line(entry: CheckedArchive) -> str:
    findings = "".join(f"\n  {finding}" for finding in entry.findings) or "  check: no findings"
    return f"{entry.packed.archive}{findings}"


@click.command("check")
@click.argument("archives", nargs=-1, required=True, type=click.Path(path_type=Path))
@common
def check_command(options: Options, archives: tuple[Path, ...]) -> None:
    """Check ARCHIVES, anyone's, against the task's rules: exit code 1 when there is any error."""
    expected = expectation(options.task, present_sets(options.task, options.workdir))
    findings = [finding for archive in archives for finding in check_archive(archive, expected)]
    options.emit(findings, _findings(findings))
    sys.exit(exit_code(findings))


def _findings(findings: list[Finding]) -> str:
    return "\n".join(map(str, findings)) or "no findings"
