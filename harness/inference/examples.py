"""Reading the segments of a request for a model, and naming them when something goes wrong."""

from collections.abc import Iterable, Sequence
from itertools import islice
from types import TracebackType

from harness.audio.recording import open_recording
from harness.core.errors import UserError
from harness.core.findings import Finding
from harness.core.progress import log_once
from harness.inference.engine import Engine
from harness.inference.features import FeatureReader
from harness.inference.prompting import Example, ask, prompt_tokens
from harness.inference.request import GenerationRequest
from harness.testsets.segments import Segment


def inspect_recordings(request: GenerationRequest) -> tuple[Finding, ...]:
    """Open every recording that the segmentation names, and say what is unusual about it.

    Raises:
        UserError: the segmentation is empty, or a recording is missing or does not read.
    """
    wavs = dict.fromkeys(segment.wav for segment in request.segmentation.segments)
    if not wavs:
        raise UserError(f"The segmentation of {request.test_set.name!r} holds no segment: segment it another way.")
    opened = [finding for wav in wavs for finding in open_recording(request.test_set.audio / wav).findings]
    findings = list(dict.fromkeys([*request.test_set.findings, *opened]))
    for finding in findings:
        log_once(str(finding))
    return tuple(findings)


class Reader:
    """Reads the segments of a request as examples for an engine.

    Raises:
        UserError: a segment is longer than the model hears.
    """

    def __init__(self, request: GenerationRequest, engine: Engine) -> None:
        _refuse_too_long(request.segmentation.segments, engine.window)
        self.request = request
        self.engine = engine
        self._ear = FeatureReader(request.test_set, engine.processor.feature_extractor)
        self._text = ask(engine.processor, request.prompt, request.language_pair.target_name)

    def read(self, index: int) -> Example:
        """Return one segment by its position, without a target."""
        segment = self.request.segmentation.segments[index]
        with naming([segment]):
            features = self._ear.extract(segment)
        return Example(features, prompt_tokens(self.engine.processor, self._text, features))


def _refuse_too_long(segments: Sequence[Segment], window: float) -> None:
    too_long = [segment for segment in segments if segment.duration > window]
    if too_long:
        raise UserError(
            f"{len(too_long)} segment(s) are longer than the {window:g} s that the model hears, the first is "
            f"{_place(too_long[0])}: segment the recordings more finely."
        )


def _place(segment: Segment) -> str:
    return f"{segment.wav} at {segment.offset:.2f} s ({segment.duration:.2f} s)"


_NAMED = 3
"""Segments of a batch that are named; the longest come first."""


class naming:  # noqa: N801 - reads as a word in a with statement
    """Add to whatever is raised inside the block which segments it was about."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self._segments = segments

    def __enter__(self) -> None:
        """Watch the block."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Name the segments."""
        if error is None:
            return
        where = ", ".join(map(_place, islice(self._segments, _NAMED)))
        if isinstance(error, UserError):
            raise UserError(f"{where}: {error}") from error
        error.add_note(f"while translating {where}")
