"""`harness pack`, `check`, `import-hypotheses` and `rescore`: archives, and the translations of other systems."""

from pathlib import Path

import click

from harness.cli.options import Options, Output, common, device_option, parse_bytes
from harness.core.findings import exit_code
from harness.core.progress import log
from harness.evaluation.evaluate import evaluate_external
from harness.evaluation.external_hypotheses import HypothesisImport, import_hypotheses
from harness.scoring.context import ScoringContext
from harness.submission.check import check_archive, expectation
from harness.submission.manifest import load_submission
from harness.submission.publish import CheckedArchive, present_sets, publish_submission
from harness.submission.rescore import Rescored, RescoreReport, rescore
from harness.testsets.load import load_test_set
from harness.testsets.segments_yaml import read_yaml


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


@click.command("import-hypotheses")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--test-set", required=True, help="Test set that was translated.")
@click.option("--direction", required=True, help="E.g. en-zh.")
@click.option("--declared-size", required=True, help="The system's size as its authors declare it, e.g. 3.98GiB.")
@click.option("--column", default="", help="Column of a .csv file that holds the translations.")
@click.option("--segmentation", type=click.Path(path_type=Path), help="YAML of the segments that were translated.")
@common
def import_command(options: Options, name: str, file: Path, test_set: str, direction: str, **rest: str) -> Output:
    """Import another system's translations from FILE under the name NAME; the leaderboard ranks them too."""
    options.task.language_pair(direction)
    segments = read_yaml(Path(rest["segmentation"])) if rest["segmentation"] else ()
    request = HypothesisImport(name, file, rest["column"], parse_bytes(rest["declared_size"]), segments)
    context = ScoringContext(options.task, load_test_set(test_set, options.workdir), direction, options.workdir)
    made = import_hypotheses(request, context.test_set, direction, options.workdir)
    scores = evaluate_external(made, context).scores
    text = "  ".join(f"{entry.metric} {entry.value:.3f}" for entry in scores) or "no reference"
    return Output(
        {"name": name, "artifact": made.artifact, "lines": len(made.texts), "scores": scores},
        f"{name} (external, declared {made.declared_bytes:,} bytes)  {made.test_set} {direction}  {text}",
    )


@click.command("rescore")
@click.argument("folder", type=click.Path(path_type=Path))
@common
def rescore_command(options: Options, folder: Path) -> Output:
    """Score every submission in FOLDER (archives, or unpacked) on the task's test sets: exit code 1 on any error."""
    report = rescore(folder, options.task, options.workdir)
    for finding in report.findings:
        log(str(finding))
    return Output(report, _table(report, options.task.scoring.metrics), exit_code(report.findings))


def _table(report: RescoreReport, metrics: tuple[str, ...]) -> str:
    heads = "".join(f"{metric:>10}" for metric in metrics)
    width = max([len(row.name) for row in report.rows], default=4)
    lines = [f"{'cluster':>7} {heads} {'95 % interval':>17} {'declared bytes':>16}  {'name':<{width}}  set, direction"]
    return "\n".join([*lines, *(_row(row, metrics, width) for row in report.rows)])


def _row(row: Rescored, metrics: tuple[str, ...], width: int) -> str:
    values = "".join(f"{'-' if (value := row.value(metric)) is None else f'{value:.2f}':>10}" for metric in metrics)
    span = f"{row.interval.low:.2f} to {row.interval.high:.2f}" if row.interval else "no reference"
    size = f"{row.declared_bytes:,}" if row.declared_bytes else "-"
    place = str(row.cluster or "-")
    return f"{place:>7} {values} {span:>17} {size:>16}  {row.name:<{width}}  {row.test_set}, {row.direction}"
