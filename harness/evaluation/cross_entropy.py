"""Teacher-forced cross-entropy of the references, given the audio and the prompt.

It separates systems whose greedy translations do not differ yet.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from harness.core.errors import UserError
from harness.core.progress import progress
from harness.core.store import Store
from harness.core.workdir import WorkDir
from harness.inference.engine import Engine, EngineLoader, require_audio_input
from harness.inference.examples import ExampleReader, inspect_recordings, segments_in_errors
from harness.inference.generate import plan_batches
from harness.inference.prompting import Example, end_token, right_padded, target_tokens
from harness.inference.request import GenerationRequest

if TYPE_CHECKING:
    from torch import Tensor


class CrossEntropy(msgspec.Struct, frozen=True, kw_only=True):
    """Cross-entropy of the references of a test set under a model.

    Attributes:
        key: content key of the request.
        artifact: id of the artifact.
        signature: requested settings in one line.
        nats: per sentence, summed over its tokens, in the order of the segmentation.
        tokens: number per sentence, the end token included.
    """

    key: str
    artifact: str
    system: str
    test_set: str
    direction: str
    signature: str
    nats: tuple[float, ...]
    tokens: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Nats per target token: all nats over all tokens."""
        return math.fsum(self.nats) / sum(self.tokens)

    @property
    def standard_error(self) -> float:
        """Standard error of `mean` over sentences, which differ in length: that of a ratio estimator.

        Source: Cochran, Sampling Techniques, 3rd edition, section 6.4, without the correction for finite populations.
        """
        count = len(self.nats)
        residuals = [nats - self.mean * tokens for nats, tokens in zip(self.nats, self.tokens, strict=True)]
        return math.sqrt(count / (count - 1) * math.fsum(r * r for r in residuals)) / sum(self.tokens)


CROSS_ENTROPIES = Store("cross-entropy", CrossEntropy, 2, "remove it and evaluate again")


def cross_entropy(request: GenerationRequest, workdir: WorkDir, engine: EngineLoader) -> CrossEntropy:
    """Measure the cross-entropy of the references; a stored measurement is returned without calling `engine`.

    The request is for a test set with its gold segmentation; its `max_new_tokens` has no effect.

    Raises:
        UserError: no references in the target language, fewer than two segments, or segments that are not those of
            the references; audio that is missing, cannot be read, or is longer than the model's input.
    """
    entry = CROSS_ENTROPIES.entry(workdir.measurements, request.conditions)
    return entry.get(lambda: _make(request, engine, entry.key))


def _make(request: GenerationRequest, engine: EngineLoader, key: str) -> CrossEntropy:
    references = _references(request)
    inspect_recordings(request)
    nats, tokens = zip(*_measure(request, references, engine()), strict=True)
    return CrossEntropy(
        key=key,
        artifact=request.artifact.id,
        system=request.system,
        test_set=request.test_set.name,
        direction=request.language_pair.direction,
        signature=request.signature,
        nats=nats,
        tokens=tokens,
    )


def _references(request: GenerationRequest) -> tuple[str, ...]:
    test_set, target = request.test_set, request.language_pair.target
    if target not in test_set.references:
        raise UserError(f"Test set {test_set.name!r} has no references in {target!r}: measure on another one.")
    references = test_set.references[target]
    if request.segmentation != test_set.gold or len(references) < 2:
        raise UserError("Cross-entropy needs gold segments, two at least: use the segmentation `gold`.")
    return references


def _measure(request: GenerationRequest, references: Sequence[str], engine: Engine) -> list[tuple[float, int]]:
    """Return nats and tokens of every sentence, in order."""
    reader = ExampleReader(request, engine)
    end = end_token(engine, request.prompt)
    rows: list[tuple[float, int]] = [(0.0, 0)] * len(references)
    segments = request.segmentation.segments
    label = f"cross-entropy {request.system} {request.test_set.name} {request.language_pair.direction}"
    with progress(label, len(references)) as advance:
        for batch in plan_batches(segments, request.decoding.batch_size):
            examples = [_with_target(reader, index, references[index], end) for index in batch]
            with segments_in_errors(segments[index] for index in batch):
                nats = sentence_nats(engine, examples)
            for index, value, example in zip(batch, nats, examples, strict=True):
                rows[index] = (value, len(example.target))
            advance(len(batch))
    return rows


def _with_target(reader: ExampleReader, index: int, reference: str, end: int) -> Example:
    example = reader.read(index)
    return Example(example.features, example.prompt, target_tokens(reader.engine.processor, reference, end))


def sentence_nats(engine: Engine, examples: Sequence[Example]) -> list[float]:
    """Return the negative log likelihood of each example's target in nats, summed over its tokens.

    Raises:
        UserError: the model computes NaN.
    """
    import torch

    batch = right_padded(engine, examples)
    encoding = engine.encoder_cache.reuse(engine.model, batch.input_features, batch.feature_attention_mask)
    with torch.inference_mode(), require_audio_input(engine.model), encoding:
        logits = engine.model(**batch.arguments(), use_cache=False).logits
        nats = [_nats(row, example) for row, example in zip(logits, examples, strict=True)]
    if not all(math.isfinite(value) for value in nats):
        raise UserError("The model computes NaN: load it in another dtype, or build the artifact again.")
    return nats


def _nats(logits: "Tensor", example: Example) -> float:
    """Sum over one row: the position before a token predicts it; logits have shape (tokens, vocabulary)."""
    import torch

    begin = len(example.prompt) - 1
    predicted = logits[begin : begin + len(example.target)].float()
    target = torch.tensor(example.target, device=logits.device)
    return float(torch.nn.functional.cross_entropy(predicted, target, reduction="sum"))
