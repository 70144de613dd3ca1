"""Tasks: what a campaign asks, as data."""

from enum import StrEnum
from pathlib import Path

import msgspec

from harness.core import manifests
from harness.config.decoding_guards import Caution
from harness.core.errors import UserError
from harness.config.scoring import Scoring
from harness.config.segmentation import Segmenting

FORMAT = 1


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a manifest: unknown keys are refused, since a misspelt key must not fall back to a default."""


class Counted(StrEnum):
    """Which bytes count against the limit."""

    ALL_FILES = "all files"
    WEIGHTS = "weights"


class Limit(_Table, frozen=True):
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


class Decoding(_Table, frozen=True):
    """Requested settings of greedy decoding; they enter the key and the signature of everything decoded with them.

    Attributes:
        batch_size: segments per batch at most.
        max_new_tokens: generated tokens per segment at most.
        caution: what is done against repetitions and endless answers; nothing by default.
        note: where the values come from.
    """

    batch_size: int
    max_new_tokens: int
    caution: Caution = Caution()
    note: str = ""

    def on(self, name: str, campaign_name: str) -> "Decoding":
        """Return the settings for a test set: without caution where that is for others only."""
        sets = self.caution.sets
        if not sets or name in sets or campaign_name in sets:
            return msgspec.structs.replace(self, caution=msgspec.structs.replace(self.caution, sets=()))
        return msgspec.structs.replace(self, caution=Caution())


class Prompt(_Table, frozen=True):
    """How the model is asked.

    Attributes:
        text: the request; `{target_lang}` stands for the target language's English name. Without `chat` it holds
            the audio markers itself.
        chat: whether the request is a user turn in the checkpoint's own chat template, after the audio.
    """

    text: str
    chat: bool = False


class Role(_Table, frozen=True):
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


class Direction(_Table, frozen=True):
    """A direction of translation, e.g. `en-de`.

    Attributes:
        source: ISO 639-1 code of the speech.
        target: ISO 639-1 code of the translation.
        target_name: the target language's English name, as the prompt says it.
    """

    source: str
    target: str
    target_name: str

    @property
    def pair(self) -> str:
        """`en-de`."""
        return f"{self.source}-{self.target}"


class Names(_Table, frozen=True):
    """How the campaign names things.

    Attributes:
        archive_task: first folder in the archive, e.g. `MODELCOMPRESSION`.
        model: pattern of the model's name, with `{team}`, `{pair}`, `{condition}` and `{entry}`.
        constrained_data: data sets that may support the compression in the constrained condition.
    """

    archive_task: str
    model: str
    constrained_data: tuple[str, ...]


class Task(_Table, frozen=True):
    """What a campaign asks.

    Attributes:
        name: the profile's name.
        title: one line for reports.
        limit: size limit.
        directions: by pair.
        prompts: by name.
        roles: by name.
        development_sets: names of test sets that may be used to make decisions, by pair.
        test_sets: names of the test sets that every system is measured on, by pair.
        blind_sets: names of the test sets that the campaign scores, by pair; where there are any, an archive holds them
            and not the test sets.
        blind_systems: systems that translate the blind sets unasked.
        segmentation: how recordings are cut; a method's name alone means it with the published settings.
        names: the campaign's names.
        scoring: metrics and what comes before them.
    """

    name: str
    title: str
    limit: Limit
    directions: dict[str, Direction]
    prompts: dict[str, Prompt]
    roles: dict[str, Role]
    development_sets: dict[str, tuple[str, ...]]
    test_sets: dict[str, tuple[str, ...]]
    segmentation: Segmenting | str
    names: Names
    blind_sets: dict[str, tuple[str, ...]] = {}
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

    def submitted(self, pair: str) -> tuple[str, ...]:
        """Return the names of the sets that an archive of this direction holds."""
        return self.blind_sets.get(pair, ()) or self.test_sets.get(pair, ())

    def sets(self, pair: str) -> tuple[str, ...]:
        """Return the names of all sets of a direction: test sets, then blind sets."""
        return tuple(dict.fromkeys((*self.test_sets.get(pair, ()), *self.blind_sets.get(pair, ()))))

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
    _check_pairs(path, task)
    return task


def _check_pairs(path: Path, task: Task) -> None:
    used = {pair for role in task.roles.values() for pair in role.directions}
    for pair in sorted(used | set(task.test_sets) | set(task.development_sets) | set(task.blind_sets)):
        if pair not in task.directions:
            raise UserError(f"{path}: direction {pair!r} is used but not defined.")
    for pair, direction in task.directions.items():
        if direction.pair != pair:
            raise UserError(f"{path}: direction {pair!r} states {direction.pair!r}.")
