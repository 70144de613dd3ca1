"""Checks a submission archive of any team: the faults that the campaign's server reports, and those it ignores.

container.py  reads the ZIP file, without trusting it
expected.py   what the task expects
layout.py     the names of files and directories
lines.py      the text of each file
"""

from collections.abc import Iterator
from pathlib import Path

from harness.core.findings import Finding, Severity
from harness.submission.check.container import read_archive
from harness.submission.check.expected import Expectation, ExpectedSet, expectation
from harness.submission.check.layout import ArchiveLayout, check_layout, directions_of
from harness.submission.check.lines import check_lines
from harness.submission.manifest import ModelName, parse_model_name

__all__ = ["DESCRIPTION_SUFFIX", "Expectation", "ExpectedSet", "check_archive", "expectation"]

DESCRIPTION_SUFFIX = ".description.md"
"""Suffix of the mandatory description, which has the archive's name and is in the same folder."""


def check_archive(path: Path, expected: Expectation) -> tuple[Finding, ...]:
    """Check an archive: its name, the container, the names of its members, and every line.

    An archive is named `<model name>.zip`, which includes its direction; where the name is invalid, the direction is
    taken from the names of its files.

    Raises:
        UserError: the file is missing or cannot be read.
    """
    contents = read_archive(path)
    name = parse_model_name(expected.names, path.stem)
    directions = directions_of(contents.members, expected)
    if name and name.direction in expected.sets:
        directions = (name.direction,)
    findings = [*_check_name(path, name, expected), *contents.findings]
    if contents.members or not contents.findings:
        layout = ArchiveLayout(contents.members, expected, directions)
        findings += [*check_layout(layout), *_check_texts(layout)]
    return tuple(findings)


def _check_name(path: Path, name: ModelName | None, expected: Expectation) -> Iterator[Finding]:
    if path.suffix != ".zip" or name is None:
        sentence = f"Rename the archive: its name must be that of the model, {expected.names.model}.zip."
        yield Finding(path.name, "model-name", sentence)
    elif name.direction not in expected.sets:
        sentence = f"{name.direction} is not a direction of this task, which has {', '.join(expected.sets)}."
        yield Finding(path.name, "model-name", sentence)
    if not path.with_name(f"{path.stem}{DESCRIPTION_SUFFIX}").is_file():
        sentence = f"The mandatory description {path.stem}{DESCRIPTION_SUFFIX} is not in the archive's folder."
        yield Finding(path.name, "missing-description", sentence, Severity.WARNING)


def _check_texts(layout: ArchiveLayout) -> Iterator[Finding]:
    for member in layout.files():
        if member.data is not None and len(member.parts) == 3:
            found = layout.find(member)
            yield from check_lines("/".join(member.parts), member.data, found.lines if found else None)
