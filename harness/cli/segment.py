"""`harness segment`: divide the recordings of a test set into segments."""

from pathlib import Path

import click
import msgspec

from harness.cli.options import Options, Output, common, device_option
from harness.core.errors import MissingExtraError
from harness.core.files import write_bytes
from harness.core.findings import Finding
from harness.core.progress import log
from harness.core.workdir import WorkDir
from harness.segmentation import Segmenting, coverage_of, segment_with_findings
from harness.segmentation.coverage import Coverage
from harness.testsets.load import load_test_set
from harness.testsets.segments import Segmentation
from harness.testsets.segments_yaml import to_yaml
from harness.testsets.testset import TestSet


class SegmentOutput(msgspec.Struct, frozen=True):
    """Output of the command; the coverage is None where it is not known where speech is."""

    file: str
    segmentation: Segmentation
    coverage: Coverage | None
    findings: tuple[Finding, ...]


@click.command("segment")
@click.argument("test_set")
@click.option(
    "--by", default=None, help="Segmenter, e.g. gold, shas, silero, pause or fixed, or file:PATH [default: the task's]."
)
@click.option("--out", default=None, help="Where to write the YAML [default: segmentations/ in the work directory].")
@device_option
@common
def segment_command(options: Options, test_set: str, by: str | None, out: str | None, device: str) -> Output:
    """Divide TEST_SET into segments, print them as YAML, and report how much speech they drop or split."""
    loaded = load_test_set(test_set, options.workdir)
    settings = options.task.segmenting.by(by) if by else options.task.segmenting
    made = _segment(loaded, settings, options.workdir, device, out)
    for finding in made.findings:
        log(str(finding))
    log(str(made.coverage) if made.coverage else "No coverage report: there are no gold segments and no silero-vad.")
    log(f"written to {made.file}")
    return Output(made, to_yaml(made.segmentation.segments).decode().rstrip("\n"))


def _segment(test_set: TestSet, settings: Segmenting, workdir: WorkDir, device: str, out: str | None) -> SegmentOutput:
    found = segment_with_findings(test_set, settings, workdir, device)
    made = found.segmentation
    path = Path(out) if out else workdir.segmentations / f"{test_set.name}-{made.key[:16]}.yaml"
    write_bytes(path, to_yaml(made.segments))
    return SegmentOutput(str(path), made, _coverage(test_set, made, workdir), found.findings)


def _coverage(test_set: TestSet, made: Segmentation, workdir: WorkDir) -> Coverage | None:
    try:
        return coverage_of(test_set, made, workdir)
    except MissingExtraError as error:
        log(str(error))
        return None
