"""The rows of each step: a pure function of recipe and rows, so that a resumed run trains on the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.finetune.data import TrainingExample
from harness.finetune.features import CachedFeatures
from harness.finetune.recipe import FinetuneRecipe, TrainingSettings
from harness.inference.engine import Engine
from harness.inference.prompting import Example, end_token, prompt_tokens, render_prompt, target_tokens


class RowOrder:
    """The order of rows, given by their lengths in seconds, in every epoch."""

    def __init__(self, lengths: Sequence[float], training: TrainingSettings) -> None:
        self._lengths, self._training = lengths, training
        self._epoch: tuple[int, list[list[int]]] = (-1, [])

    def step(self, step: int) -> list[list[int]]:
        """Return the rows of a step (from 0): one list per forward pass."""
        epoch, position = divmod(step, self._training.steps_per_epoch(len(self._lengths)))
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._shuffled(epoch))
        passes = self._training.gradient_accumulation
        return self._epoch[1][position * passes : (position + 1) * passes]

    def _shuffled(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch; only the last one may be smaller, also after shuffling."""
        import numpy as np

        generator = np.random.default_rng([self._training.seed, epoch])
        rows = [int(row) for row in generator.permutation(len(self._lengths))]
        size = self._training.batch_size
        if not self._training.group_by_length:
            return _chunks(rows, size)
        pools = _chunks(rows, size * 50)  # sorted by length within 50 batches, as by transformers' `group_by_length`
        batches = _chunks([row for pool in pools for row in sorted(pool, key=self._lengths.__getitem__)], size)
        full = len(batches) - (len(batches[-1]) < size)
        return [batches[int(index)] for index in generator.permutation(full)] + batches[full:]


def _chunks(rows: list[int], size: int) -> list[list[int]]:
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]


@dataclass(frozen=True)
class ExampleSource:
    """Training rows as input of the model.

    Attributes:
        prompts: text of the prompt by language code.
        end: token that ends a translation.
        engine: for its processor.
    """

    rows: Sequence[TrainingExample]
    features: CachedFeatures
    prompts: dict[str, str]
    end: int
    engine: Engine

    def examples(self, indices: Sequence[int]) -> list[Example]:
        """Return rows by position, each with prompt and target.

        Raises:
            UserError: the audio of a row cannot be read.
        """
        return [self._example(self.rows[index]) for index in indices]

    def _example(self, row: TrainingExample) -> Example:
        processor, features = self.engine.processor, self.features.extract(row)
        prompt = prompt_tokens(processor, self.prompts[row.language], features)
        return Example(features, prompt, target_tokens(processor, row.text, self.end))


def open_source(
    rows: Sequence[TrainingExample], features: CachedFeatures, recipe: FinetuneRecipe, engine: Engine
) -> ExampleSource:
    """Return the rows as input of the model, with the recipe's prompt in each of its languages.

    Raises:
        UserError: the prompt lacks its one placeholder for the audio, or the chat template does not close an answer.
    """
    prompt = recipe.task_prompt
    prompts = {code: render_prompt(engine.processor, prompt, name) for code, name in recipe.languages.items()}
    return ExampleSource(rows, features, prompts, end_token(engine, prompt), engine)
