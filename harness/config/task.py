"""Tasks: what a campaign asks, as data."""

from enum import StrEnum
from pathlib import Path

import msgspec

from harness.config.decoding_guards import DecodingGuards
from harness.config.language_pair import LanguagePair
from harness.config.scoring import Scoring
from harness.config.segmentation import Segmenting
from harness.core import manifests
from harness.core.errors import UserError
from harness.core.manifests import ManifestTable

FORMAT = 1


class Counted(StrEnum):
    """Which bytes count against the limit."""

    ALL_FILES = "all files"
    WEIGHTS = "weights"


class Limit(ManifestTable, frozen=True):
    """The size limit.

    Attributes:
        bytes: the limit in bytes.
        strict: whether the size must be below the limit (else equal is allowed).
        counts: which bytes count.
        note: where the number comes from.
    """

    bytes: int
    strict: bool = True
    counts: Counted = Counted.ALL_FILES
    note: str = ""

    def admits(self, counted: int) -> bool:
        """Whether that many counted bytes keep the limit."""
        return counted < self.bytes if self.strict else counted <= self.bytes


class Decoding(ManifestTable, frozen=True):
    """Requested settings of greedy decoding; they enter the key and the signature of everything decoded with them.

    Attributes:
        batch_size: segments per batch at most.
        max_new_tokens: generated tokens per segment at most.
        guards: what is done against repetitions and endless answers; nothing by default.
        note: where the values come from.
    """

    batch_size: int
    max_new_tokens: int
    guards: DecodingGuards = DecodingGuards()
    note: str = ""

    def on(self, name: str, campaign_name: str) -> "Decoding":
        """Return the settings for a test set: without guards where that is for others only."""
        sets = self.guards.sets
        if not sets or name in sets or campaign_name in sets:
            return msgspec.structs.replace(self, guards=msgspec.structs.replace(self.guards, sets=()))
        return msgspec.structs.replace(self, guards=DecodingGuards())


class Prompt(ManifestTable, frozen=True):
    """How the model is asked.

    Attributes:
        text: the request; `{target_lang}` stands for the target language's English name. Without `chat` it holds
            the audio markers itself.
        chat: whether the request is a user turn in the checkpoint's own chat template, after the audio.
    """

    text: str
    chat: bool = False


class Role(ManifestTable, frozen=True):
    """A part that one checkpoint plays (untuned, finetuned, instruct), and how a model of that role is used.

    Attributes:
        checkpoint: directory in Hugging Face's layout; a relative path is read against the project's folder.
        hub: repository on the Hugging Face hub that the checkpoint is, or was made from.
        pretraining: data sets that the campaign's base model was trained on before the campaign gave it to everyone;
            they do not count towards the condition of a submission.
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
    """How the campaign names things.

    Attributes:
        archive_task: first folder in the archive, e.g. `MODELCOMPRESSION`.
        model: pattern of the model's name, with `{team}`, `{pair}`, `{condition}` and `{entry}`.
        constrained_data: data sets that may support the compression in the constrained condition.
    """

    archive_task: str
    model: str
    constrained_data: tuple[str, ...]


class Task(ManifestTable, frozen=True):
    """What a campaign asks.

    Attributes:
        name: the profile's name.
        title: one line for reports.
        limit: size limit.
        directions: by direction.
        prompts: by name.
        roles: by name.
        development_sets: names of test sets that may be used to make decisions, by direction.
        test_sets: names of the test sets that every system is measured on, by direction.
        blind_sets: names of the test sets that the campaign scores, by direction; where there are any, an archive
            holds them and not the test sets.
        blind_systems: systems that translate the blind sets unasked.
        segmentation: how recordings are cut; a method's name alone means it with the published settings.
        names: the campaign's names.
        scoring: metrics and what comes before them.
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

    @property
    def segmenting(self) -> Segmenting:
        """How recordings are cut."""
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
        UserError: unknown, unreadable, or a role or set refers to something that the profile does not define.
    """
    path = manifests.find("tasks", name)
    task = manifests.read_toml(path, Task, FORMAT)
    for role_name, role in task.roles.items():
        if role.prompt not in task.prompts:
            raise UserError(f"{path}: role {role_name!r} asks for prompt {role.prompt!r}, which is not defined.")
    _check_directions(path, task)
    return task


def _check_directions(path: Path, task: Task) -> None:
    used = {direction for role in task.roles.values() for direction in role.directions}
    for direction in sorted(used | set(task.test_sets) | set(task.development_sets) | set(task.blind_sets)):
        if direction not in task.directions:
            raise UserError(f"{path}: direction {direction!r} is used but not defined.")
    for direction, languages in task.directions.items():
        if languages.direction != direction:
            raise UserError(
                f"{path}: direction {direction!r} is defined as {languages.direction!r}: rename one of them."
            )
