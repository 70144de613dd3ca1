"""Tasks: the rules, data and settings of a campaign."""

from enum import StrEnum
from pathlib import Path

import msgspec

from harness.config.decoding_guards import DecodingGuards
from harness.config.language_pair import LanguagePair
from harness.config.scoring import Scoring
from harness.config.segmentation import Segmenting
from harness.config.task_profile import Table, read_profile
from harness.core import manifests
from harness.core.errors import UserError
from harness.core.manifests import ManifestTable


class Counted(StrEnum):
    """Which bytes count against the limit."""

    ALL_FILES = "all files"
    WEIGHTS = "weights"


class Limit(ManifestTable, frozen=True):
    """The size limit in bytes; a strict one must not be reached. `note` says where the number comes from."""

    bytes: int
    strict: bool = True
    counts: Counted = Counted.ALL_FILES
    note: str = ""

    def admits(self, counted: int) -> bool:
        """Whether a size in counted bytes is within the limit."""
        return counted < self.bytes if self.strict else counted <= self.bytes


class Decoding(ManifestTable, frozen=True):
    """Requested settings of greedy decoding; they enter the key and the signature of everything decoded with them.

    Attributes:
        batch_size: segments per batch at most.
        max_new_tokens: generated tokens per segment at most.
        guards: options against repetitions and endless output; all off by default.
        note: where the values come from.
    """

    batch_size: int
    max_new_tokens: int
    guards: DecodingGuards = DecodingGuards()
    note: str = ""

    def on(self, name: str, campaign_name: str) -> "Decoding":
        """Return the settings for a test set: without guards where those are for other sets only."""
        sets = self.guards.sets
        if not sets or name in sets or campaign_name in sets:
            return msgspec.structs.replace(self, guards=msgspec.structs.replace(self.guards, sets=()))
        return msgspec.structs.replace(self, guards=DecodingGuards())


class Prompt(ManifestTable, frozen=True):
    """The request to the model.

    Attributes:
        text: the request, with `{target_lang}` for the target's English name; without `chat`, with the audio markers.
        chat: whether the request is a user turn in the checkpoint's own chat template, after the audio.
    """

    text: str
    chat: bool = False


class Role(ManifestTable, frozen=True):
    """The role of a checkpoint (untuned, finetuned, instruct), and how a model in that role is used.

    Attributes:
        checkpoint: directory in Hugging Face's layout; a relative path refers to the project's folder.
        hub: repository of the checkpoint, or of its base model, on the Hugging Face hub.
        pretraining: the base model's training data that the campaign provides; no submission's condition counts them.
        prompt: name of one of the task's prompts.
        decoding: settings of generation.
        directions: directions that the role's systems are evaluated on.
    """

    checkpoint: str
    prompt: str
    decoding: Decoding
    directions: tuple[str, ...]
    hub: str = ""
    pretraining: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The checkpoint's directory."""
        return manifests.data_root() / Path(self.checkpoint).expanduser()


class Names(ManifestTable, frozen=True):
    """The campaign's names.

    Attributes:
        archive_task: first folder in the archive, e.g. `MODELCOMPRESSION`.
        model: pattern of a model's name, with `{team}`, `{pair}`, `{condition}` and `{entry}`.
        constrained_data: data sets that may support the compression in the constrained condition.
    """

    archive_task: str
    model: str
    constrained_data: tuple[str, ...]


class Task(ManifestTable, frozen=True):
    """The rules, data and settings of a campaign.

    Attributes:
        title: one line for reports.
        directions: by their text form, e.g. `en-de`.
        development_sets: names of the test sets on which choices may be made, by direction.
        test_sets: names of the test sets that every system is measured on, by direction.
        blind_sets: names of the test sets that the campaign scores, by direction; if there are any, archives hold them.
        blind_systems: systems that translate the blind sets by default.
        segmentation: how recordings are segmented; a method's name alone means its published settings.
    """

    name: str
    title: str
    limit: Limit
    directions: dict[str, LanguagePair]
    prompts: dict[str, Prompt]
    roles: dict[str, Role]
    development_sets: dict[str, tuple[str, ...]]
    test_sets: dict[str, tuple[str, ...]]
    segmentation: Segmenting | str
    names: Names
    blind_sets: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    blind_systems: tuple[str, ...] = ()
    scoring: Scoring = Scoring()

    def role(self, name: str) -> Role:
        """Return a role.

        Raises:
            UserError: the task has no such role.
        """
        if name not in self.roles:
            raise UserError(f"Task {self.name!r} has no role {name!r}: it has {', '.join(self.roles)}.")
        return self.roles[name]

    def language_pair(self, direction: str) -> LanguagePair:
        """Return the languages of a direction such as `en-de`.

        Raises:
            UserError: the task has no such direction.
        """
        if direction not in self.directions:
            raise UserError(f"Task {self.name!r} has no direction {direction!r}: it has {', '.join(self.directions)}.")
        return self.directions[direction]

    @property
    def segmenting(self) -> Segmenting:
        """How recordings are segmented."""
        return Segmenting(default=self.segmentation) if isinstance(self.segmentation, str) else self.segmentation

    def submitted(self, direction: str) -> tuple[str, ...]:
        """Return the names of the sets that an archive of this direction holds."""
        return self.blind_sets.get(direction, ()) or self.test_sets.get(direction, ())

    def sets(self, direction: str) -> tuple[str, ...]:
        """Return the names of all sets of a direction: test sets, then blind sets."""
        return tuple(dict.fromkeys((*self.test_sets.get(direction, ()), *self.blind_sets.get(direction, ()))))

    def with_limit(self, limit: int) -> "Task":
        """Return the task with another limit in bytes, strictness and counting unchanged."""
        return msgspec.structs.replace(self, limit=msgspec.structs.replace(self.limit, bytes=limit, note="--limit"))


def load_task(name: str) -> Task:
    """Read a task profile by name, or from the path of a .toml file.

    Raises:
        UserError: the profile is unknown or unreadable, or refers to a prompt or direction that it does not define.
    """
    *inherited, (path, table) = read_profile(manifests.find("tasks", name))
    try:
        return _task(path, table)
    except UserError as error:
        # A mistake that an inherited profile has as well is reported for the file that states it.
        origin = next((each for each, part in inherited if _mistake(path, part) == str(error)), path)
        raise UserError(str(error).replace(str(path), str(origin), 1)) from error


def _mistake(path: Path, table: Table) -> str:
    """Return the sentence about the first mistake in a profile; empty where there is none."""
    try:
        _task(path, table)
    except UserError as error:
        return str(error)
    return ""


def _task(path: Path, table: Table) -> Task:
    task = manifests.convert_table(path, table, Task)
    for role_name, role in task.roles.items():
        if role.prompt not in task.prompts:
            reason = f"role {role_name!r} has the prompt {role.prompt!r}, which is not defined"
            raise UserError(f"{path}: {reason}: add it to [prompts].")
    used = {direction for role in task.roles.values() for direction in role.directions}
    for direction in sorted(used | set(task.test_sets) | set(task.development_sets) | set(task.blind_sets)):
        if direction not in task.directions:
            raise UserError(f"{path}: direction {direction!r} is used but not defined: define it under [directions].")
    for direction, languages in task.directions.items():
        if languages.direction != direction:
            reason = f"direction {direction!r} is defined as {languages.direction!r}"
            raise UserError(f"{path}: {reason}: rename one of them.")
    return task
