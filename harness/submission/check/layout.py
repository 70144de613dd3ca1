"""The names in an archive: task folder, sets, one file per set and direction, and explicit directory entries.

The campaign's server reads the folders from explicit directory entries alone (an archive without them counts as
empty), drops sets that it does not know without a word, and looks for exactly `TASK/SET/src_tgt.txt`.
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
    """An archive's members beside what should be there.

    Attributes:
        members: directories and files.
        expected: the campaign's names and sets.
        directions: the directions that the archive is for.
    """

    members: Sequence[Member]
    expected: Expectation
    directions: tuple[str, ...]

    def files(self) -> Iterator[Member]:
        """Yield the members that are files."""
        return (member for member in self.members if not member.is_directory)

    def find(self, member: Member) -> ExpectedSet | None:
        """Return the set that a file belongs to, or None when its path is none of the expected ones."""
        task = self.expected.names.archive_task
        found: dict[tuple[str, ...], ExpectedSet] = {
            (task, entry.name, file_name(direction)): entry
            for direction in self.directions
            for entry in self.expected.sets[direction]
        }
        return found.get(member.parts)


def file_name(direction: str) -> str:
    """Return the name of a direction's file: `en_de.txt` for `en-de`."""
    return f"{direction.replace('-', '_')}.txt"


def pairs_in(members: Sequence[Member], expected: Expectation) -> tuple[str, ...]:
    """Return the known directions that an archive's files are named after."""
    names = {member.parts[-1] for member in members if not member.is_directory}
    return tuple(direction for direction in expected.sets if file_name(direction) in names)


def check_layout(layout: ArchiveLayout) -> Iterator[Finding]:
    """Check names, sets and directory entries; contents are not looked at."""
    if not any(layout.files()):
        yield Finding("archive", "empty", f"The archive holds no files: pack {_wanted(layout)}.")
    for member in layout.members:
        yield from _check_directory(layout, member) if member.is_directory else _check_file(layout, member)
    yield from _check_entries(layout)
    yield from _check_missing(layout)


def _wanted(layout: ArchiveLayout) -> str:
    direction = layout.directions[0] if layout.directions else "src-tgt"
    return f"{layout.expected.names.archive_task}/SET/{file_name(direction)}"


def _check_directory(layout: ArchiveLayout, member: Member) -> Iterator[Finding]:
    if len(member.parts) > 2:
        sentence = f"This folder is nested too deep: files are found at {_wanted(layout)} only."
        yield Finding(shown(member.name), "path-depth", sentence)
    elif member.parts[0] != layout.expected.names.archive_task:
        yield _wrong_task(layout, member)
    elif len(member.parts) == 2:
        yield from _check_set(layout, member)


def _check_file(layout: ArchiveLayout, member: Member) -> Iterator[Finding]:
    if len(member.parts) != 3:
        sentence = f"The path has {len(member.parts)} parts, the server looks for three: {_wanted(layout)}."
        yield Finding(shown(member.name), "path-depth", sentence)
        return
    if member.parts[0] != layout.expected.names.archive_task:
        yield _wrong_task(layout, member)
    yield from _check_set(layout, member)
    yield from _check_file_name(layout, member)


def _wrong_task(layout: ArchiveLayout, member: Member) -> Finding:
    task = layout.expected.names.archive_task
    return Finding(
        shown(member.name), "task-name", f"The first folder is {shown(member.parts[0])}, not {task}: rename it."
    )


def _check_set(layout: ArchiveLayout, member: Member) -> Iterator[Finding]:
    known = [entry.name for direction in layout.directions for entry in layout.expected.sets[direction]]
    if layout.directions and member.parts[1] not in known:
        sentence = (
            f"{shown(member.parts[1])} is no set of {', '.join(layout.directions)}, and the server would drop it "
            f"silently: the sets are {', '.join(dict.fromkeys(known))}."
        )
        yield Finding(shown(member.name), "unknown-set", sentence)


def _check_file_name(layout: ArchiveLayout, member: Member) -> Iterator[Finding]:
    name = member.parts[2]
    right = [file_name(direction) for direction in layout.directions]
    if name in right:
        return
    if re.fullmatch(r"[a-z]{2,3}_[a-z]{2,3}\.txt", name):
        sentence = f"This is another direction than the archive's ({', '.join(layout.directions) or 'none is known'})."
        yield Finding(shown(member.name), "pair", sentence)
    else:
        sentence = f"The file must be named {' or '.join(right) or 'src_tgt.txt'}, with an underscore in the direction."
        yield Finding(shown(member.name), "file-name", sentence)


def _check_entries(layout: ArchiveLayout) -> Iterator[Finding]:
    explicit = {member.name for member in layout.members if member.is_directory}
    needed = {
        "/".join(member.parts[:depth]) + "/" for member in layout.files() for depth in range(1, len(member.parts))
    }
    for name in sorted(needed - explicit):
        sentence = "This folder has no entry of its own, and the server takes folders from such entries alone: add it."
        yield Finding(shown(name), "directory-entry", sentence)


def _check_missing(layout: ArchiveLayout) -> Iterator[Finding]:
    found = {member.parts for member in layout.files()}
    for direction in layout.directions:
        for entry in layout.expected.sets[direction]:
            path = (layout.expected.names.archive_task, entry.name, file_name(direction))
            if path not in found:
                sentence = f"The translations of {entry.name} are missing: add them."
                yield Finding("/".join(path), "missing-set", sentence)
