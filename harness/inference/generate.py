"""Generation: translates the segments of a request, in batches that survive a killed process."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.core.locks import exclusive
from harness.core.progress import log, progress
from harness.core.workdir import WorkDir
from harness.inference.decoding import Decoded, DecodingConstraints, decode
from harness.inference.engine import EngineLoader
from harness.inference.examples import ExampleReader, inspect_recordings, segments_in_errors
from harness.inference.generation_store import GenerationStore, Header
from harness.inference.hypothesis import Hypothesis, HypothesisSet
from harness.inference.output_flags import Flag, flagged, flags_of
from harness.inference.prompting import Example
from harness.inference.request import GenerationRequest
from harness.testsets.segments import Segment


def plan_batches(segments: Sequence[Segment], batch_size: int) -> tuple[tuple[int, ...], ...]:
    """Return the batches as positions in the segmentation: longest first, segments of equal length in their order.

    The longest are first so that an out-of-memory occurs at once; neighbours of similar length need little padding.
    The plan depends on nothing else, so that a resumed run decodes the same batches as an undisturbed one.
    """
    order = sorted(range(len(segments)), key=lambda index: (-segments[index].duration, index))
    return tuple(tuple(order[begin : begin + batch_size]) for begin in range(0, len(order), batch_size))


def generate(request: GenerationRequest, workdir: WorkDir, engine: EngineLoader) -> HypothesisSet:
    """Translate all segments of a request; batches that an earlier run finished are not decoded again.

    Args:
        request: what is to be translated.
        workdir: where the hypotheses are stored.
        engine: not called when all batches are stored.

    Raises:
        UserError: a segment's audio is missing, cannot be read, or is longer than the model's audio window; memory ran
            out; or another process is working on the same request.
    """
    store = GenerationStore(workdir.hypotheses, request.inputs)
    if (stored := store.complete()) is not None:
        return stored
    work = f"is translating {request.test_set.name} {request.language_pair.direction} with {request.system}"
    with exclusive(store.path, work, workdir.locks):
        # The process that held the lock before may have completed the same request.
        return store.complete() or _generate(request, store, engine)


def _generate(request: GenerationRequest, store: GenerationStore, engine: EngineLoader) -> HypothesisSet:
    findings = inspect_recordings(request)
    batches = plan_batches(request.segmentation.segments, request.decoding.batch_size)
    _decode_missing(request, store, batches, engine)
    names = (request.artifact.id, request.system, request.test_set.name, request.language_pair.direction)
    made = store.merge(Header(*names, request.signature, findings), len(batches))
    log(f"{made.system} {made.test_set} {made.direction}: {flagged(made)}")
    return made


def _decode_missing(
    request: GenerationRequest, store: GenerationStore, batches: Sequence[tuple[int, ...]], engine: EngineLoader
) -> None:
    missing = {number: batch for number, batch in enumerate(batches) if not store.has(number)}
    if not missing:
        return
    reader = ExampleReader(request, engine())
    label = f"generate {request.system} {request.test_set.name} {request.language_pair.direction}"
    with progress(label, sum(map(len, missing.values()))) as advance:
        for number, batch in missing.items():
            store.write_batch(number, _translate(reader, batch))
            advance(len(batch))


def _translate(reader: ExampleReader, batch: Sequence[int]) -> list[Hypothesis]:
    segments = reader.request.segmentation.segments
    examples = [reader.read(index) for index in batch]
    with segments_in_errors(segments[index] for index in batch):
        outputs = _decode_guarded(reader, examples)
    return [
        Hypothesis(index, segments[index], halved=output.halved, attempts=output.attempts, **vars(output.decoded))
        for index, output in zip(batch, outputs, strict=True)
    ]


@dataclass(frozen=True)
class _Output:
    """A decoded output, whether its batch was halved, and the number of attempts."""

    decoded: Decoded
    halved: bool
    attempts: int


def _decode_guarded(reader: ExampleReader, examples: Sequence[Example]) -> list[_Output]:
    """Decode a batch; where the request has a repeat guard, decode repetitive outputs a second time."""
    decoding, target = reader.request.decoding, reader.request.language_pair.target
    guard = decoding.guards.repeat_guard
    constraints = DecodingConstraints(decoding.guards.length_bound, use_encoder_cache=True)
    first = decode(reader.engine, examples, decoding.max_new_tokens, constraints)
    outputs = [_Output(decoded, decoded.batch_size < len(examples), 1) for decoded in first]
    repetitive = [i for i, decoded in enumerate(first) if guard and Flag.REPEATS in flags_of(decoded.text, target)]
    if guard is None or not repetitive:
        return outputs
    constraints = replace(constraints, no_repeat_ngram=guard.no_repeat_ngram)
    second = decode(reader.engine, [examples[i] for i in repetitive], decoding.max_new_tokens, constraints)
    for index, decoded in zip(repetitive, second, strict=True):
        outputs[index] = _better(outputs[index], _Output(decoded, decoded.batch_size < len(repetitive), 2), target)
    return outputs


def _better(first: _Output, second: _Output, target: str) -> _Output:
    """Return the output with fewer flags, the first on a tie, with the time of both attempts."""
    better = min(first, second, key=lambda each: len(flags_of(each.decoded.text, target, each.decoded.stop)))
    seconds = first.decoded.seconds + second.decoded.seconds
    return _Output(replace(better.decoded, seconds=seconds), better.halved, second.attempts)
