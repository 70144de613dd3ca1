"""What a segmenter is, and the registry of all segmenters.

A new segmenter is one module in this folder, or in an installed package with an entry point of the group
`stcompress.segmenters`, that adds itself:

    SEGMENTERS.add("mine", Segmenter(Basis.AUDIO, segment), __name__)
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from harness.audio.recording import Recording
from harness.config.segmentation import FILE, Segmenting
from harness.core.findings import Finding
from harness.core.registry import Registry
from harness.core.store import Store
from harness.core.workdir import WorkDir
from harness.testsets.segments import Segment, Segmentation
from harness.testsets.testset import TestSet


class SegmentationResult(msgspec.Struct, frozen=True):
    """A segmentation, and findings about its recordings and segments."""

    segmentation: Segmentation
    findings: tuple[Finding, ...] = ()


class Cut(msgspec.Struct, frozen=True):
    """The segments of one recording, in order of time, and findings about them."""

    segments: tuple[Segment, ...]
    findings: tuple[Finding, ...]


SEGMENTATIONS = Store("segmentation", SegmentationResult, 2)


@dataclass(frozen=True)
class SegmentationRequest:
    """What a segmenter is called with: a test set, the task's settings, and torch's name of the models' device."""

    test_set: TestSet
    settings: Segmenting
    workdir: WorkDir
    device: str = "cpu"

    def stored(self, method: str, cuts: Callable[[], Iterable[tuple[Recording, Cut]]]) -> SegmentationResult:
        """Return the stored result of a method on the test set, or make and store it.

        Args:
            method: the segmenter with everything that determines its segments, as `Segmentation.method` records it.
            cuts: returns every recording with its segments, in the order of FILE_ORDER.

        Raises:
            UserError: the stored file is damaged or of a newer format, or cannot be written.
        """

        def make() -> SegmentationResult:
            segments: list[Segment] = []
            findings: list[Finding] = []
            for recording, cut in cuts():
                segments += cut.segments
                findings += [*recording.findings, *cut.findings]
            return SegmentationResult(Segmentation(self.test_set.name, method, tuple(segments)), tuple(findings))

        inputs = [self.test_set.key, method]
        return SEGMENTATIONS.entry(self.workdir.segmentations, inputs, self.test_set.name).get(make)


class Basis(StrEnum):
    """What a segmenter finds boundaries by. Tables list segmenters in this order."""

    GOLD = "gold segments"
    MODEL = "frame probabilities of a model"
    AUDIO = "samples"
    LENGTH = "length of the recording"


@dataclass(frozen=True)
class Segmenter:
    """A registered segmenter.

    Attributes:
        basis: what it finds boundaries by; `GOLD` works on test sets with gold segments only.
        segment: segments a test set by the settings of its request. Raises UserError when the test set does not suit,
            a recording does not read, or a model is missing.
    """

    basis: Basis
    segment: Callable[[SegmentationRequest], SegmentationResult]


SEGMENTERS: Registry[Segmenter] = Registry("segmenter", "harness.segmentation", "segmenters")


def segmenter_names() -> tuple[str, ...]:
    """Return the names of all segmenters in the order of tables: by basis, then by name."""
    order = list(Basis)
    return tuple(entry.name for entry in sorted(SEGMENTERS, key=lambda one: (order.index(one.value.basis), one.name)))


def check_methods(settings: Segmenting) -> None:
    """Check that every method that a task names is registered.

    Raises:
        UserError: one is not.
    """
    for method in (settings.default, *settings.sets.values()):
        if not method.startswith(FILE):
            SEGMENTERS.get(method)
