"""The segments of a request as input of the model."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from harness.audio.recording import open_recording
from harness.core.errors import UserError
from harness.core.findings import Finding
from harness.core.progress import log_once
from harness.inference.engine import Engine
from harness.inference.features import FeatureReader
from harness.inference.prompting import Example, prompt_tokens, render_prompt
from harness.inference.request import GenerationRequest
from harness.testsets.segments import Segment


def inspect_recordings(request: GenerationRequest) -> tuple[Finding, ...]:
    """Open every recording of the segmentation; log and return what is unusual about it.

    Raises:
        UserError: the segmentation is empty, or a recording is missing or cannot be read.
    """
    wavs = dict.fromkeys(segment.wav for segment in request.segmentation.segments)
    if not wavs:
        raise UserError(f"The segmentation of {request.test_set.name!r} holds no segment: segment it another way.")
    opened = [finding for wav in wavs for finding in open_recording(request.test_set.audio / wav).findings]
    findings = list(dict.fromkeys([*request.test_set.findings, *opened]))
    for finding in findings:
        log_once(str(finding))
    return tuple(findings)


class ExampleReader:
    """Reads the segments of a request as examples for an engine.

    Raises:
        UserError: a segment is longer than the model's audio window.
    """

    def __init__(self, request: GenerationRequest, engine: Engine) -> None:
        too_long = [segment for segment in request.segmentation.segments if segment.duration > engine.window]
        if too_long:
            raise UserError(
                f"{len(too_long)} segment(s) are longer than the model's audio window of {engine.window:g} s, the "
                f"first is {_place(too_long[0])}: use shorter segments."
            )
        self.request, self.engine = request, engine
        self._features = FeatureReader(request.test_set, engine.processor.feature_extractor)
        self._prompt = render_prompt(engine.processor, request.prompt, request.language_pair.target_name)

    def read(self, index: int) -> Example:
        """Return a segment by its position, without a target.

        Raises:
            UserError: its audio cannot be read, or is too short.
        """
        segment = self.request.segmentation.segments[index]
        with segments_in_errors([segment]):
            features = self._features.extract(segment)
        return Example(features, prompt_tokens(self.engine.processor, self._prompt, features))


def _place(segment: Segment) -> str:
    return f"{segment.wav} at {segment.offset:.2f} s ({segment.duration:.2f} s)"


@contextmanager
def segments_in_errors(segments: Iterable[Segment]) -> Iterator[None]:
    """Name these segments in every exception that is raised inside the block."""
    try:
        yield
    except BaseException as error:
        places = ", ".join(map(_place, islice(segments, 3)))  # batches hold the longest first
        if isinstance(error, UserError):
            raise UserError(f"{places}: {error}") from error
        error.add_note(f"while processing {places}")
        raise
