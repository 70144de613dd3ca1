"""The task's development sentences as examples for a loaded model."""

from dataclasses import dataclass

from harness.calibration.context import MeasurementContext
from harness.config.language_pair import LanguagePair
from harness.inference.engine import Engine
from harness.inference.features import FeatureReader
from harness.inference.prompting import Example, end_token, prompt_tokens, render_prompt, target_tokens
from harness.testsets.testset import TestSet


@dataclass(frozen=True)
class DevelopmentExample:
    """A development sentence in one direction, e.g. `en-de`; its target is the reference with the end token."""

    direction: str
    example: Example


def describe(context: MeasurementContext) -> object:
    """Return everything beside the checkpoint on which the sentences depend, for content keys."""
    prompt = context.task.prompts[context.role.prompt]
    sets = [(pair.direction, pair.target_name, found.key) for pair, found in context.development()]
    return [sets, prompt.text, prompt.chat]


def datasets(context: MeasurementContext) -> tuple[str, ...]:
    """Return the names of the sentences' data sets, sorted."""
    return tuple(sorted({test_set.dataset for _, test_set in context.development()}))


def read_sentences(context: MeasurementContext, engine: Engine) -> tuple[DevelopmentExample, ...]:
    """Read every development sentence, direction by direction, in the order of the gold segments.

    Raises:
        UserError: a recording cannot be read.
    """
    return tuple(
        sentence for pair, test_set in context.development() for sentence in _read(context, engine, pair, test_set)
    )


def _read(
    context: MeasurementContext, engine: Engine, pair: LanguagePair, test_set: TestSet
) -> list[DevelopmentExample]:
    prompt = context.task.prompts[context.role.prompt]
    request, end = render_prompt(engine.processor, prompt, pair.target_name), end_token(engine, prompt)
    reader = FeatureReader(test_set, engine.processor.feature_extractor)
    assert test_set.gold is not None  # noqa: S101 - the context has checked it
    found = []
    for segment, reference in zip(test_set.gold.segments, test_set.references[pair.target], strict=True):
        features = reader.extract(segment)
        tokens = prompt_tokens(engine.processor, request, features)
        example = Example(features, tokens, target_tokens(engine.processor, reference, end))
        found.append(DevelopmentExample(pair.direction, example))
    return found
