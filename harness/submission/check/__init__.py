"""Checking a submission archive, anyone's: every fault that the campaign's server finds, and those it does not."""

from collections.abc import Iterator
from pathlib import Path

from harness.core.findings import Finding, Severity
from harness.submission.check.container import read_archive
from harness.submission.check.expected import Expectation, ExpectedSet, expectation
from harness.submission.check.layout import ArchiveLayout, check_layout, pairs_in
from harness.submission.check.lines import check_lines
from harness.submission.manifest import ModelName, parse_model_name

__all__ = ["DESCRIPTION_SUFFIX", "Expectation", "ExpectedSet", "check_archive", "expectation"]

DESCRIPTION_SUFFIX = ".description.md"
"""The mandatory description lies beside the archive under the model's name with this ending."""


def check_archive(path: Path, expected: Expectation) -> tuple[Finding, ...]:
    """Check an archive: its name, the container, the names inside, and every line.

    The archive is named after the model, `<model name>.zip`, which says the direction that it is for; where the
    name says none, the names of the files do.

    Raises:
        UserError: the file is missing or cannot be read.
    """
    contents = read_archive(path)
    name = parse_model_name(expected.names, path.stem)
    directions = (name.direction,) if name and name.direction in expected.sets else pairs_in(contents.members, expected)
    findings = [*_check_name(path, name, expected), *contents.findings]
    if contents.members or not contents.findings:
        layout = ArchiveLayout(contents.members, expected, directions)
        findings += [*check_layout(layout), *_check_texts(layout)]
    return tuple(findings)


def _check_name(path: Path, name: ModelName | None, expected: Expectation) -> Iterator[Finding]:
    if path.suffix != ".zip" or name is None:
        sentence = f"An archive is named after its model: {expected.names.model}.zip."
        yield Finding(path.name, "model-name", sentence)
    elif name.direction not in expected.sets:
        sentence = f"{name.direction} is no direction of this task: there are {', '.join(expected.sets)}."
        yield Finding(path.name, "model-name", sentence)
    if not path.with_name(f"{path.stem}{DESCRIPTION_SUFFIX}").is_file():
        sentence = f"The mandatory description {path.stem}{DESCRIPTION_SUFFIX} does not lie beside the archive."
        yield Finding(path.name, "missing-description", sentence, Severity.WARNING)


def _check_texts(layout: ArchiveLayout) -> Iterator[Finding]:
    for member in layout.files():
        if member.data is not None and len(member.parts) == 3:
            found = layout.find(member)
            yield from check_lines("/".join(member.parts), member.data, found.lines if found else None)
