"""Segments: the parts of recordings that are translated one by one."""

import msgspec

from harness.core.files import key_of


class Segment(msgspec.Struct, frozen=True):
    """A part of a recording.

    Attributes:
        wav: the recording's file name in the test set, e.g. `2022.acl-long.268.wav`.
        offset: start in seconds; `duration` is in seconds too.
    """

    wav: str
    offset: float
    duration: float


class Segmentation(msgspec.Struct, frozen=True):
    """All segments of a test set, talks in the order of FILE_ORDER.

    Attributes:
        method: `gold`, or the segmenter with everything that determines its segments.
        segments: in the order in which translations are written.
    """

    test_set: str
    method: str
    segments: tuple[Segment, ...]

    @property
    def key(self) -> str:
        """sha256 over the method and every segment's wav, offset and duration."""
        return key_of(self)
