"""Segmenting a test set by the method that a task names for it."""

from pathlib import Path

from harness.config.segmentation import FILE, Segmenting
from harness.core.progress import log
from harness.core.workdir import WorkDir
from harness.segmentation.coverage import Coverage, coverage
from harness.segmentation.frame_store import all_frames
from harness.segmentation.segmenter import SEGMENTERS, SegmentationRequest, SegmentationResult
from harness.segmentation.silero.frame_classifier import SileroFrameClassifier, speech
from harness.testsets.segments import Segmentation
from harness.testsets.segments_yaml import from_file
from harness.testsets.testset import TestSet


def segment(test_set: TestSet, settings: Segmenting, workdir: WorkDir, device: str = "cpu") -> Segmentation:
    """Segment a test set by the method that a task's settings name for it; findings are logged.

    Segmentations and frame probabilities are stored in the work directory; stored results are read. `device` is torch's
    name of the device that models run on.

    Raises:
        UserError: there is no such method or it does not suit the set, a recording does not read, or a model is absent.
    """
    made = segment_with_findings(test_set, settings, workdir, device)
    for finding in made.findings:
        log(str(finding))
    return made.segmentation


def segment_with_findings(
    test_set: TestSet, settings: Segmenting, workdir: WorkDir, device: str = "cpu"
) -> SegmentationResult:
    """Segment as `segment` does, and return the findings instead of logging them."""
    method = settings.method_for(test_set.name, test_set.campaign_name)
    if method.startswith(FILE):
        return SegmentationResult(from_file(test_set, Path(method.removeprefix(FILE)).expanduser()))
    return SEGMENTERS.get(method).segment(SegmentationRequest(test_set, settings, workdir, device))


def coverage_of(test_set: TestSet, segmentation: Segmentation, workdir: WorkDir) -> Coverage:
    """Return how much speech a segmentation drops or splits, by gold sentences or else by silero-vad's speech.

    Raises:
        MissingExtraError: there are no gold sentences, and silero-vad is not installed.
    """
    if test_set.gold is not None:
        return coverage(segmentation, test_set.gold.segments, "gold")
    frames = all_frames(test_set, SileroFrameClassifier(), workdir)
    intervals = [interval for recording, found in frames for interval in speech(recording, found)]
    return coverage(segmentation, intervals, "silero")
