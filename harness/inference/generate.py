"""Generating: from segments of audio to translations, in batches that survive a kill."""

from collections.abc import Sequence
from dataclasses import replace

from harness.core.findings import Finding
from harness.core.progress import log, progress
from harness.core.workdir import WorkDir
from harness.inference.decoding import Decoded, DecodingConstraints, decode
from harness.inference.engine import EngineLoader
from harness.inference.examples import Reader, inspect_recordings, naming
from harness.inference.generation_store import GenerationStore, Header
from harness.inference.hypothesis import Hypothesis, HypothesisSet
from harness.inference.output_flags import Flag, flagged, flags_of
from harness.inference.prompting import Example
from harness.inference.request import GenerationRequest
from harness.testsets.segments import Segment

__all__ = ["GenerationRequest", "generate", "plan_batches"]


def plan_batches(segments: Sequence[Segment], batch_size: int) -> tuple[tuple[int, ...], ...]:
    """Return the batches as positions in the segmentation: longest first, equal ones in their order.

    The longest come first so that an out-of-memory shows at once, and neighbours of like length fill up little. The
    plan depends on nothing else, so that a resumed run decodes the very batches that an undisturbed one would.
    """
    order = sorted(range(len(segments)), key=lambda index: (-segments[index].duration, index))
    return tuple(tuple(order[begin : begin + batch_size]) for begin in range(0, len(order), batch_size))


def generate(request: GenerationRequest, workdir: WorkDir, engine: EngineLoader) -> HypothesisSet:
    """Translate all segments; what an earlier run finished, whole or in part, is not done again.

    Args:
        request: what is to be translated.
        workdir: where the translations are kept.
        engine: loads the model; not called when the translations are stored.

    Raises:
        UserError: a segment's audio is missing, does not read, or is longer than the model hears; memory ran out.
    """
    store = GenerationStore(workdir.hypotheses, request.key)
    stored = store.complete()
    if stored is not None:
        return stored
    findings = inspect_recordings(request)
    batches = plan_batches(request.segmentation.segments, request.decoding.batch_size)
    _work(request, store, batches, engine)
    made = store.merge(_header(request, findings), len(batches))
    log(f"{made.system} {made.test_set} {made.direction}: {flagged(made)}")
    return made


def _header(request: GenerationRequest, findings: tuple[Finding, ...]) -> Header:
    return Header(
        key=request.key,
        artifact=request.artifact.id,
        system=request.system,
        test_set=request.test_set.name,
        direction=request.language_pair.direction,
        signature=request.signature,
        findings=findings,
    )


def _work(
    request: GenerationRequest, store: GenerationStore, batches: Sequence[tuple[int, ...]], engine: EngineLoader
) -> None:
    missing = [number for number in range(len(batches)) if not store.has(number)]
    if not missing:
        return
    reader = Reader(request, engine())
    label = f"generate {request.system} {request.test_set.name} {request.language_pair.direction}"
    with progress(label, sum(len(batches[number]) for number in missing)) as advance:
        for number in missing:
            store.write_batch(number, _translate(reader, batches[number]))
            advance(len(batches[number]))


def _translate(reader: Reader, batch: Sequence[int]) -> list[Hypothesis]:
    request = reader.request
    examples = [reader.read(index) for index in batch]
    with naming(request.segmentation.segments[index] for index in batch):
        answers = _answers(reader, examples)
    return [
        Hypothesis(
            index=index,
            segment=request.segmentation.segments[index],
            text=answer.text,
            tokens=answer.tokens,
            seconds=answer.seconds,
            batch_size=answer.batch_size,
            stop=answer.stop,
            halved=halved,
            attempts=attempts,
        )
        for index, (answer, halved, attempts) in zip(batch, answers, strict=True)
    ]


_Answer = tuple[Decoded, bool, int]
"""What was said, whether its batch was halved, and how often it was asked for."""


def _answers(reader: Reader, examples: Sequence[Example]) -> list[_Answer]:
    """Decode a batch; answers that repeat themselves are asked for once more where the request guards against that."""
    decoding, target = reader.request.decoding, reader.request.language_pair.target
    style, guard = DecodingConstraints(decoding.guards.length_bound, recall=True), decoding.guards.repeat_guard
    first = decode(reader.engine, examples, decoding.max_new_tokens, style)
    answers = [(answer, answer.batch_size < len(examples), 1) for answer in first]
    looping = [i for i, answer in enumerate(first) if guard and Flag.REPEATS in flags_of(answer.text, target)]
    if guard is None or not looping:
        return answers
    style = replace(style, no_repeat_ngram=guard.no_repeat_ngram)
    second = decode(reader.engine, [examples[i] for i in looping], decoding.max_new_tokens, style)
    for index, answer in zip(looping, second, strict=True):
        answers[index] = _better(answers[index], (answer, answer.batch_size < len(looping), 2), target)
    return answers


def _better(first: _Answer, second: _Answer, target: str) -> _Answer:
    """Return the answer with fewer flags, the first when in doubt; either took the time of both."""
    flags = [len(flags_of(answer.text, target, answer.stop)) for answer, _, _ in (first, second)]
    answer, halved, _ = second if flags[1] < flags[0] else first
    return replace(answer, seconds=first[0].seconds + second[0].seconds), halved, 2
