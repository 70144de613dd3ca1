"""Segments: the stretches of audio that are translated one by one."""

import msgspec

from harness.core.files import key_of


class Segment(msgspec.Struct, frozen=True):
    """A stretch of a recording.

    Attributes:
        wav: the recording's file name inside the test set, e.g. `2022.acl-long.268.wav`.
        offset: start, in seconds.
        duration: in seconds.
    """

    wav: str
    offset: float
    duration: float


class Segmentation(msgspec.Struct, frozen=True):
    """All segments of a test set, talks in FILE_ORDER, and how they were cut.

    Attributes:
        test_set: name of the test set.
        method: `gold`, or the segmenter with its settings.
        segments: in the order in which translations are written out.
    """

    test_set: str
    method: str
    segments: tuple[Segment, ...]

    @property
    def key(self) -> str:
        """sha256 over the method and every segment's wav, offset and duration."""
        return key_of(self)
