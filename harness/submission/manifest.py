"""Submission manifests: which systems a team enters as primary and contrastive, by direction."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.compression.registry import get_system
from harness.config.task import Names, Task
from harness.core import manifests
from harness.core.errors import UserError
from harness.core.manifests import ManifestTable
from harness.submission.condition import Condition

FORMAT = 1
_TEAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_FIELDS = {
    "team": r"(?P<team>[A-Za-z0-9][A-Za-z0-9.-]*)",
    "pair": r"(?P<pair>[a-z]{2,3}-[a-z]{2,3})",
    "condition": r"(?P<condition>constrained|unconstrained)",
    "entry": r"(?P<entry>primary|contrastive)",
}


class EntryKind(StrEnum):
    """The campaign's kinds of entries."""

    PRIMARY = "primary"
    CONTRASTIVE = "contrastive"


class Entries(ManifestTable, frozen=True):
    """The systems that are entered in one direction.

    Attributes:
        primary: registered name of the system for the official ranking.
        contrastive: registered name of another system, or None.
    """

    primary: str
    contrastive: str | None = None


class Submission(ManifestTable, frozen=True):
    """A submission manifest.

    Attributes:
        team: short name for model names: letters, digits, dots and hyphens.
        task: name of the task profile.
        contact: address for the organisers, part of the description.
        condition: the expected condition; writing an archive fails where the derived condition differs.
    """

    team: str
    task: str
    entries: dict[str, Entries]
    contact: str = ""
    condition: Condition | None = None

    def model_entries(self) -> tuple["ModelEntry", ...]:
        """Return all entries: directions in the manifest's order, the primary system first."""
        found = []
        for direction, entries in self.entries.items():
            found.append(ModelEntry(direction, EntryKind.PRIMARY, entries.primary))
            if entries.contrastive is not None:
                found.append(ModelEntry(direction, EntryKind.CONTRASTIVE, entries.contrastive))
        return tuple(found)


@dataclass(frozen=True)
class ModelEntry:
    """One entry of a submission: a registered system in one direction, e.g. `en-de`."""

    direction: str
    kind: EntryKind
    system: str


@dataclass(frozen=True)
class ModelName:
    """The parts of a model's name in the campaign."""

    team: str
    direction: str
    condition: Condition
    kind: EntryKind


def load_submission(name: str, task: Task) -> Submission:
    """Read a submission manifest by name, or from the path of a .toml file, and check it against the task.

    Raises:
        UserError: unknown or unreadable; of another task; or with a team name, direction or system that is not allowed.
    """
    path = manifests.find("submissions", name)
    submission = manifests.read_toml(path, Submission, FORMAT)
    if submission.task != task.name:
        raise UserError(f"{path} is for task {submission.task!r}, not {task.name!r}: give the right --task.")
    if not _TEAM.fullmatch(submission.team):
        raise UserError(f"{path}: team {submission.team!r} may contain only letters, digits, dots and hyphens.")
    if not submission.entries:
        raise UserError(f"{path} enters no system: add a table such as [entries.en-de] with a primary.")
    for entry in submission.model_entries():
        _check_entry(path, entry, task)
    for direction, entries in submission.entries.items():
        if entries.primary == entries.contrastive:
            raise UserError(f"{path}: {direction} enters {entries.primary} twice: name another contrastive system.")
    return submission


def _check_entry(path: Path, entry: ModelEntry, task: Task) -> None:
    if not task.submitted(entry.direction):
        raise UserError(f"{path}: task {task.name!r} has no test sets for {entry.direction}: remove that table.")
    role = get_system(entry.system).role
    if entry.direction not in task.role(role).directions:
        raise UserError(
            f"{path}: {entry.system} cannot be entered in {entry.direction}, since task {task.name!r} runs its role "
            f"({role}) only in {', '.join(task.role(role).directions)}: name another system."
        )


def model_name(names: Names, parts: ModelName) -> str:
    """Return the campaign's name of a model, e.g. `KIT_IWSLT26_ModelCompression_en-de_unconstrained_primary`.

    Raises:
        UserError: the task's pattern does not contain each of the four parts once.
    """
    values = {"team": parts.team, "pair": parts.direction, "condition": str(parts.condition), "entry": str(parts.kind)}
    return "".join(values[piece] if i % 2 else piece for i, piece in enumerate(_pieces(names)))


def parse_model_name(names: Names, text: str) -> ModelName | None:
    """Return the parts of a model's name, or None when it does not follow the campaign's pattern.

    Raises:
        UserError: the task's pattern does not contain each of the four parts once.
    """
    pattern = "".join(_FIELDS[piece] if i % 2 else re.escape(piece) for i, piece in enumerate(_pieces(names)))
    if (match := re.fullmatch(pattern, text)) is None:
        return None
    return ModelName(match["team"], match["pair"], Condition(match["condition"]), EntryKind(match["entry"]))


def _pieces(names: Names) -> list[str]:
    """Split the task's pattern into fixed texts (even positions) and names of parts (odd positions)."""
    pieces = re.split(r"\{(\w+)\}", names.model)
    if sorted(pieces[1::2]) != sorted(_FIELDS):
        fields, given = ", ".join(f"{{{field}}}" for field in _FIELDS), repr(names.model)
        raise UserError(f"The task's model name {given} must contain each of {fields} once: correct the profile.")
    return pieces
