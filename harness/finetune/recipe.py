"""Fine-tuning recipes: all hyper-parameters, read from `data/manifests/finetune/*.toml`."""

import math
from enum import StrEnum
from typing import Annotated

import msgspec

from harness.config.task import Prompt
from harness.core import manifests
from harness.core.errors import UserError
from harness.core.manifests import ManifestTable
from harness.models.tensor_spec import Component

FORMAT = 1
LANGUAGE_FIELD = "{target_lang}"

_Count = Annotated[int, msgspec.Meta(ge=1)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Schedule(StrEnum):
    """Decay of the learning rate after the warm-up: linear to 0, by half a cosine to 0, or none."""

    LINEAR = "linear"
    COSINE = "cosine"
    CONSTANT = "constant"


class TrainingPrecision(StrEnum):
    """Type of the frozen weights and of the computation; the adapter and its optimiser are always float32."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Lora(ManifestTable, frozen=True, kw_only=True):
    """The adapter: each adapted weight W becomes W + alpha / rank * B A.

    Attributes:
        rank: rows of A and columns of B.
        alpha: numerator of the scale.
        dropout: probability that an input of the adapter is dropped in training.
        components: the parts of the model whose linear layers are adapted.
        note: where the choice comes from.
    """

    rank: _Count
    alpha: _Positive
    dropout: _Share
    components: tuple[Component, ...]
    note: str = ""


class TrainingSettings(ManifestTable, frozen=True, kw_only=True):
    """Settings of the optimiser; defaults are those of transformers' `TrainingArguments`.

    Attributes:
        batch_size: rows per forward pass.
        gradient_accumulation: forward passes per step.
        learning_rate: after the warm-up.
        schedule: what follows the warm-up.
        warmup_ratio: share of all steps in which the learning rate rises linearly from 0.
        weight_decay: of AdamW.
        max_grad_norm: gradients with a larger norm are scaled down to it.
        epochs: passes over all rows; fractions are allowed.
        max_steps: number of steps, instead of epochs.
        gradient_checkpointing: whether to compute activations again in the backward pass, to save memory.
        group_by_length: whether to batch rows of similar length, to save padding.
        seed: of the adapter's initial values, the order of rows and the dropout.
        save_every: steps between two saved states; it does not change the result.
        note: where the choices come from.
    """

    batch_size: _Count
    learning_rate: _Positive
    warmup_ratio: _Share
    precision: TrainingPrecision
    seed: Annotated[int, msgspec.Meta(ge=0)]
    save_every: _Count
    gradient_accumulation: _Count = 1
    schedule: Schedule = Schedule.LINEAR
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    max_grad_norm: _Positive = 1.0
    epochs: _Positive | None = None
    max_steps: _Count | None = None
    gradient_checkpointing: bool = False
    group_by_length: bool = False
    note: str = ""

    def steps(self, rows: int) -> int:
        """Return the number of optimiser steps on that many rows."""
        by_epochs = math.ceil((self.epochs or 0.0) * self.steps_per_epoch(rows))
        return by_epochs if self.max_steps is None else self.max_steps

    def steps_per_epoch(self, rows: int) -> int:
        """Return the number of steps of one pass over all rows; the last step may have fewer rows."""
        return math.ceil(rows / (self.batch_size * self.gradient_accumulation))

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step (from 0) among all steps, equal to transformers' schedulers."""
        warmup = math.ceil(steps * self.warmup_ratio)
        if step < warmup:
            return self.learning_rate * step / max(1, warmup)
        done = (step - warmup) / max(1, steps - warmup)
        if self.schedule is Schedule.COSINE:
            return self.learning_rate * max(0.0, 0.5 * (1.0 + math.cos(math.pi * done)))
        return self.learning_rate * (1.0 if self.schedule is Schedule.CONSTANT else max(0.0, 1.0 - done))


class FinetuneRecipe(ManifestTable, frozen=True, kw_only=True):
    """How a checkpoint is adapted.

    Attributes:
        source: the paper and place it comes from.
        role: of the adapted checkpoint.
        prompt: text of the prompt, as in a task; `{target_lang}` stands for the target language's English name.
        chat: whether the prompt is a user turn in the checkpoint's chat template, as in a task.
        languages: English names by the language codes that the training rows use.
    """

    name: str
    source: str
    role: str
    prompt: str
    languages: dict[str, str]
    lora: Lora
    training: TrainingSettings
    chat: bool = False

    @property
    def task_prompt(self) -> Prompt:
        """The prompt in the form of a task's."""
        return Prompt(self.prompt, chat=self.chat)

    def without_remarks(self) -> "FinetuneRecipe":
        """Return what determines the result: the recipe without name, source, notes and the interval of saving."""
        lora = msgspec.structs.replace(self.lora, note="")
        training = msgspec.structs.replace(self.training, note="", save_every=1)
        return msgspec.structs.replace(self, name="", source="", lora=lora, training=training)


def load_recipe(name: str) -> FinetuneRecipe:
    """Read a fine-tuning recipe by name, or from the path of a .toml file.

    Raises:
        UserError: unknown, unreadable, with a wrong or unknown field, or with fields that contradict each other.
    """
    path = manifests.find("finetune", name)
    recipe = manifests.read_toml(path, FinetuneRecipe, FORMAT)
    if LANGUAGE_FIELD not in recipe.prompt and len(recipe.languages) > 1:
        raise UserError(f"{path}: the prompt must contain {LANGUAGE_FIELD}, since there are several target languages.")
    if (recipe.training.epochs is None) == (recipe.training.max_steps is None):
        raise UserError(f"{path}: give either training.epochs or training.max_steps.")
    if not recipe.lora.components or not set(recipe.lora.components) <= _LINEAR_PARTS:
        parts = ", ".join(sorted(_LINEAR_PARTS))
        raise UserError(f"{path}: lora.components must name components with linear layers, at least one of: {parts}.")
    return recipe


_LINEAR_PARTS = {Component.ATTENTION, Component.MLP, Component.HEAD, Component.AUDIO_TOWER, Component.PROJECTOR}
