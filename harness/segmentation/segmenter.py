"""The verb: from a test set and a task's settings to its segments, stored by content."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.audio.recording import open_recording
from harness.config.segmentation import FILE, Segmenting
from harness.core.errors import UserError, check_format
from harness.core.files import key_of, read_json, write_json
from harness.core.findings import Finding
from harness.core.progress import log
from harness.core.workdir import WorkDir
from harness.segmentation.coverage import Coverage, coverage
from harness.segmentation.cut import cut
from harness.segmentation.fixed import fixed
from harness.segmentation.frame_store import FrameClassifier, all_frames
from harness.segmentation.gold import gold
from harness.segmentation.shas import ShasFrameClassifier
from harness.segmentation.silero import SileroFrameClassifier, speech
from harness.testsets.segments import Segment, Segmentation
from harness.testsets.segments_yaml import from_file

if TYPE_CHECKING:
    from harness.testsets.testset import TestSet

FORMAT = 1


class SegmentationResult(msgspec.Struct, frozen=True):
    """A segmentation, and what there is to say about how it was made.

    Attributes:
        segmentation: the segments.
        findings: about recordings and segments.
        format_version: of the file.
    """

    segmentation: Segmentation
    findings: tuple[Finding, ...] = ()
    format_version: int = FORMAT


def segment(test_set: "TestSet", settings: Segmenting, workdir: WorkDir, device: str = "cpu") -> Segmentation:
    """Segment a test set in the way that a task's settings name for it; findings go to stderr.

    Args:
        test_set: what to segment.
        settings: the task's `segmenting`.
        workdir: where segmentations and frame probabilities are kept; what is there already is read.
        device: torch's name of the device that SHAS runs on.

    Raises:
        UserError: the method does not suit the set, a recording does not read, or a model is missing.
    """
    made = segment_with_findings(test_set, settings, workdir, device)
    for finding in made.findings:
        log(str(finding))
    return made.segmentation


def segment_with_findings(
    test_set: "TestSet", settings: Segmenting, workdir: WorkDir, device: str = "cpu"
) -> SegmentationResult:
    """Segment as `segment` does, and return the findings."""
    method = settings.method_for(test_set.name, test_set.campaign_name)
    if method == "gold":
        return SegmentationResult(gold(test_set))
    if method.startswith(FILE):
        return SegmentationResult(from_file(test_set, Path(method.removeprefix(FILE)).expanduser()))
    if method == "fixed":
        return SegmentationResult(_fixed(test_set, settings.max_seconds))
    listener = SileroFrameClassifier() if method == "silero" else ShasFrameClassifier(settings.shas, device, workdir)
    return _stored(test_set, settings, listener, workdir)


def coverage_of(test_set: "TestSet", segmentation: Segmentation, workdir: WorkDir) -> Coverage:
    """Say how much speech a segmentation drops or splits: against gold sentences, else against what silero-vad hears.

    Raises:
        MissingExtraError: there are no gold sentences, and silero-vad is not installed.
    """
    if test_set.gold is not None:
        return coverage(segmentation, test_set.gold.segments, "gold")
    heard = all_frames(test_set, SileroFrameClassifier(), workdir)
    stretches = [stretch for recording, frames in heard for stretch in speech(recording, frames)]
    return coverage(segmentation, stretches, "silero")


def _fixed(test_set: "TestSet", max_seconds: float) -> Segmentation:
    recordings = [open_recording(test_set.audio / wav) for wav in test_set.file_order]
    segments = tuple(one for recording in recordings for one in fixed(recording, max_seconds))
    return Segmentation(test_set.name, f"fixed|max:{max_seconds:g}", segments)


def _stored(
    test_set: "TestSet", settings: Segmenting, listener: FrameClassifier, workdir: WorkDir
) -> SegmentationResult:
    method = _signature(settings, listener)
    key = key_of(["segmentation", FORMAT, test_set.key, method])
    path = workdir.segmentations / f"{test_set.name}-{key[:32]}.json"
    stored = _read(path)
    if stored is None:
        stored = _listen(test_set, settings, listener, workdir)
        write_json(path, stored)
    return stored


def _signature(settings: Segmenting, listener: FrameClassifier) -> str:
    limits = f"max:{settings.max_seconds:g}|min:{settings.min_seconds:g}|threshold:{settings.threshold:g}"
    identity = listener.identity
    return f"{identity[0]}|{settings.algorithm}|{limits}|window:{settings.window:g}|{key_of(identity)[:16]}"


def _listen(
    test_set: "TestSet", settings: Segmenting, listener: FrameClassifier, workdir: WorkDir
) -> SegmentationResult:
    segments: list[Segment] = []
    findings: list[Finding] = []
    for recording, frames in all_frames(test_set, listener, workdir):
        found = cut(recording, frames, settings)
        segments += found.segments
        findings += [*recording.findings, *found.findings]
    made = Segmentation(test_set.name, _signature(settings, listener), tuple(segments))
    return SegmentationResult(made, tuple(findings))


def _read(path: Path) -> SegmentationResult | None:
    if not path.is_file():
        return None
    value = read_json(path)
    check_format(str(path), value.get("format_version") if isinstance(value, dict) else None, FORMAT)
    try:
        return msgspec.convert(value, SegmentationResult)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} does not read ({error}): delete it and segment again.") from error
