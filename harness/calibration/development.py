"""The task's development sentences as examples for a model in memory."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.inference.engine import Engine
from harness.inference.features import Ear
from harness.inference.prompting import Example, ask, end_token, prompt_tokens, target_tokens
from harness.config.task import Direction
from harness.testsets.testset import TestSet

if TYPE_CHECKING:
    from harness.calibration.context import Laboratory


@dataclass(frozen=True)
class Sentence:
    """A development sentence in one direction.

    Attributes:
        direction: e.g. `en-de`.
        example: what the model hears, how it is asked, and the reference with its end token.
    """

    direction: str
    example: Example


def describe(laboratory: "Laboratory") -> object:
    """Return what the sentences depend on beside the checkpoint, for keys."""
    prompt = laboratory.task.prompts[laboratory.role.prompt]
    sets = [(direction.pair, direction.target_name, found.key) for direction, found in laboratory.development()]
    return [sets, prompt.text, prompt.chat]


def datasets(laboratory: "Laboratory") -> tuple[str, ...]:
    """Return the names of the data sets that the sentences come from, sorted."""
    return tuple(sorted({test_set.dataset for _, test_set in laboratory.development()}))


def read_sentences(laboratory: "Laboratory", engine: Engine) -> tuple[Sentence, ...]:
    """Read every development sentence, direction by direction, in the order of the gold segments.

    Raises:
        UserError: audio that does not read.
    """
    return tuple(
        sentence
        for direction, test_set in laboratory.development()
        for sentence in _read(laboratory, engine, direction, test_set)
    )


def _read(laboratory: "Laboratory", engine: Engine, direction: Direction, test_set: TestSet) -> list[Sentence]:
    prompt = laboratory.task.prompts[laboratory.role.prompt]
    request, end = ask(engine.processor, prompt, direction.target_name), end_token(engine, prompt)
    ear = Ear(test_set, engine.processor.feature_extractor)
    assert test_set.gold is not None  # noqa: S101 - the laboratory checked it
    found = []
    for segment, reference in zip(test_set.gold.segments, test_set.references[direction.target], strict=True):
        features = ear.hear(segment)
        tokens = prompt_tokens(engine.processor, request, features)
        example = Example(features, tokens, target_tokens(engine.processor, reference, end))
        found.append(Sentence(direction.pair, example))
    return found
