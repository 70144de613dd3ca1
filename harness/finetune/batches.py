"""Which rows a step trains on: a pure function of the recipe and the rows, so that a resumed run sees the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.finetune.data import TrainingExample
from harness.finetune.features import FeatureStore
from harness.finetune.recipe import FinetuneRecipe, TrainingSettings
from harness.inference.engine import Engine
from harness.inference.prompting import Example, ask, end_token, prompt_tokens, target_tokens

_BATCHES_SORTED_TOGETHER = 50
"""As in transformers' `group_by_length`: long and short rows are told apart within so many batches only."""


class Order:
    """The order of the rows in every epoch.

    Args:
        lengths: seconds of each row.
        training: batch size, seed and grouping.
    """

    def __init__(self, lengths: Sequence[float], training: TrainingSettings) -> None:
        self._lengths = lengths
        self._training = training
        self._epoch: tuple[int, list[list[int]]] = (-1, [])

    def step(self, step: int) -> list[list[int]]:
        """Return the rows of a step (from 0): one list per forward pass."""
        epoch, place = divmod(step, self._training.steps_per_epoch(len(self._lengths)))
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._shuffled(epoch))
        passes = self._training.gradient_accumulation
        return self._epoch[1][place * passes : (place + 1) * passes]

    def _shuffled(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch; only the last one may be smaller."""
        import numpy as np

        generator = np.random.default_rng([self._training.seed, epoch])
        rows = [int(row) for row in generator.permutation(len(self._lengths))]
        size = self._training.batch_size
        if not self._training.group_by_length:
            return _cut(rows, size)
        pools = _cut(rows, size * _BATCHES_SORTED_TOGETHER)
        batches = _cut([row for pool in pools for row in sorted(pool, key=self._lengths.__getitem__)], size)
        full = len(batches) - (len(batches[-1]) < size)
        return [batches[int(place)] for place in generator.permutation(full)] + batches[full:]


def _cut(rows: list[int], size: int) -> list[list[int]]:
    return [rows[begin : begin + size] for begin in range(0, len(rows), size)]


@dataclass(frozen=True)
class ExampleSource:
    """The training rows as the model reads them.

    Attributes:
        rows: the rows.
        features: what is heard of them.
        requests: the prompt's text by language code.
        end: the token with which a translation ends.
        engine: the model's processor.
    """

    rows: Sequence[TrainingExample]
    features: FeatureStore
    requests: dict[str, str]
    end: int
    engine: Engine

    def examples(self, indices: Sequence[int]) -> list[Example]:
        """Return rows by position, each with its prompt and its target.

        Raises:
            UserError: the audio of a row does not read.
        """
        return [self._example(self.rows[index]) for index in indices]

    def _example(self, row: TrainingExample) -> Example:
        processor = self.engine.processor
        features = self.features.extract(row)
        prompt = prompt_tokens(processor, self.requests[row.language], features)
        return Example(features, prompt, target_tokens(processor, row.text, self.end))


def open_source(
    rows: Sequence[TrainingExample], features: FeatureStore, recipe: FinetuneRecipe, engine: Engine
) -> ExampleSource:
    """Prepare the recipe's prompt for each of its languages.

    Raises:
        UserError: the prompt has not exactly one place for the audio, or the chat template does not end an answer.
    """
    requests = {code: ask(engine.processor, recipe.asking, name) for code, name in recipe.languages.items()}
    return ExampleSource(rows, features, requests, end_token(engine, recipe.asking), engine)
