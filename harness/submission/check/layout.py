"""Checks the names in an archive: task folder, sets, one file per set and direction, explicit directory entries.

The campaign's server takes folders only from explicit directory entries (to it, an archive without them is empty),
ignores unknown sets without a message, and looks for exactly `TASK/SET/src_tgt.txt`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.core.archives.archive_members import shown
from harness.core.findings import Finding
from harness.submission.check.container import Member
from harness.submission.check.expected import Expectation, ExpectedSet


@dataclass(frozen=True)
class ArchiveLayout:
    """The members of an archive, the expected ones, and the directions of the archive."""

    members: Sequence[Member]
    expected: Expectation
    directions: tuple[str, ...]

    def files(self) -> Iterator[Member]:
        """Yield the members that are files."""
        return (member for member in self.members if not member.is_directory)

    def sets(self) -> dict[tuple[str, ...], ExpectedSet]:
        """Return the expected sets by the parts of their files' paths."""
        task, sets = self.expected.names.archive_task, self.expected.sets
        pairs = ((direction, entry) for direction in self.directions for entry in sets[direction])
        return {(task, entry.name, file_name(direction)): entry for direction, entry in pairs}

    def find(self, member: Member) -> ExpectedSet | None:
        """Return the set of a file, or None where its path is not expected."""
        return self.sets().get(member.parts)


def file_name(direction: str) -> str:
    """Return the name of a direction's file: `en_de.txt` for `en-de`."""
    return f"{direction.replace('-', '_')}.txt"


def directions_of(members: Sequence[Member], expected: Expectation) -> tuple[str, ...]:
    """Return the known directions among the names of an archive's files."""
    names = {member.parts[-1] for member in members if not member.is_directory}
    return tuple(direction for direction in expected.sets if file_name(direction) in names)


def check_layout(layout: ArchiveLayout) -> Iterator[Finding]:
    """Check names, sets and directory entries, but not the contents of files."""
    if not any(layout.files()):
        yield Finding("archive", "empty", f"The archive contains no files: add {_expected_path(layout)}.")
    for member in layout.members:
        yield from _check_directory(layout, member) if member.is_directory else _check_file(layout, member)
    yield from _check_entries(layout)
    found = {member.parts for member in layout.files()}
    for path, entry in layout.sets().items():
        if path not in found:
            yield Finding("/".join(path), "missing-set", f"The translations of {entry.name} are missing: add them.")


def _expected_path(layout: ArchiveLayout) -> str:
    direction = layout.directions[0] if layout.directions else "src-tgt"
    return f"{layout.expected.names.archive_task}/SET/{file_name(direction)}"


def _check_directory(layout: ArchiveLayout, member: Member) -> Iterator[Finding]:
    if len(member.parts) > 2:
        sentence = f"This folder is nested too deeply: the server reads only {_expected_path(layout)}."
        yield Finding(shown(member.name), "path-depth", sentence)
    elif member.parts[0] != layout.expected.names.archive_task:
        yield _wrong_task(layout, member)
    elif len(member.parts) == 2:
        yield from _check_set(layout, member)


def _check_file(layout: ArchiveLayout, member: Member) -> Iterator[Finding]:
    if len(member.parts) != 3:
        sentence = f"The path has {len(member.parts)} parts, but the server looks for three: {_expected_path(layout)}."
        yield Finding(shown(member.name), "path-depth", sentence)
        return
    if member.parts[0] != layout.expected.names.archive_task:
        yield _wrong_task(layout, member)
    yield from _check_set(layout, member)
    yield from _check_file_name(layout, member)


def _wrong_task(layout: ArchiveLayout, member: Member) -> Finding:
    task = layout.expected.names.archive_task
    sentence = f"The first folder is {shown(member.parts[0])}, not {task}: rename it."
    return Finding(shown(member.name), "task-name", sentence)


def _check_set(layout: ArchiveLayout, member: Member) -> Iterator[Finding]:
    known = [entry.name for direction in layout.directions for entry in layout.expected.sets[direction]]
    if layout.directions and member.parts[1] not in known:
        sentence = (
            f"{shown(member.parts[1])} is not a set of {', '.join(layout.directions)}, and the server would ignore it "
            f"silently: the sets are {', '.join(dict.fromkeys(known))}."
        )
        yield Finding(shown(member.name), "unknown-set", sentence)


def _check_file_name(layout: ArchiveLayout, member: Member) -> Iterator[Finding]:
    name = member.parts[2]
    valid = [file_name(direction) for direction in layout.directions]
    if name in valid:
        return
    if re.fullmatch(r"[a-z]{2,3}_[a-z]{2,3}\.txt", name):
        sentence = f"Its direction is not that of the archive ({', '.join(layout.directions) or 'unknown'})."
        yield Finding(shown(member.name), "pair", sentence)
    else:
        sentence = f"Rename the file to {' or '.join(valid) or 'src_tgt.txt'}, with an underscore in the direction."
        yield Finding(shown(member.name), "file-name", sentence)


def _check_entries(layout: ArchiveLayout) -> Iterator[Finding]:
    explicit = {member.name for member in layout.members if member.is_directory}
    paths = [member.parts for member in layout.files()]
    needed = {"/".join(parts[:depth]) + "/" for parts in paths for depth in range(1, len(parts))}
    for name in sorted(needed - explicit):
        sentence = "This folder has no directory entry, and the server takes folders only from such entries: add one."
        yield Finding(shown(name), "directory-entry", sentence)
