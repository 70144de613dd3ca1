"""Stored frame probabilities: a model classifies each recording once, whatever the limits or the algorithm.

Each result is a JSON envelope with the frame rate and the sha256 of a `.npy` file beside it that holds the
probabilities. The array is written first, so that a killed process leaves no envelope without its array.
"""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from harness.audio.recording import Recording, open_recording
from harness.core.checksums import directory_digests
from harness.core.errors import UserError
from harness.core.files import read_bounded, write_bytes
from harness.core.progress import Advance, progress
from harness.core.store import Store
from harness.core.workdir import WorkDir
from harness.segmentation.frames import Frames
from harness.testsets.testset import TestSet


class StoredFrames(msgspec.Struct, frozen=True):
    """Frames per second of a recording's probabilities, and the sha256 of the `.npy` file that holds them."""

    rate: float
    sha256: str


FRAMES = Store("frames", StoredFrames, 2)


class FrameClassifier(Protocol):
    """Classifies the frames of recordings as speech or not."""

    @property
    def identity(self) -> list[object]:
        """Everything that determines its probabilities beside the recording; the first item is its name."""

    def units(self, recording: Recording) -> int:
        """Return how many units of work a recording is."""

    def classify(self, recording: Recording, advance: Advance) -> Frames:
        """Return the probabilities of a recording's frames."""


def all_frames(test_set: TestSet, classifier: FrameClassifier, workdir: WorkDir) -> Iterator[tuple[Recording, Frames]]:
    """Yield every recording of a test set in FILE_ORDER with its frames; stored ones are read.

    A killed process loses at most the recording that it was classifying.

    Raises:
        UserError: a recording is missing or does not read, a model is missing, or a stored file is damaged.
    """
    recordings = [open_recording(test_set.audio / wav) for wav in test_set.file_order]
    digests = directory_digests(test_set.audio, test_set.file_order, workdir.cache)
    with progress(f"classify frames of {test_set.name}", sum(map(classifier.units, recordings))) as advance:
        for recording, wav in zip(recordings, test_set.file_order, strict=True):
            entry = FRAMES.entry(workdir.segmentations / "frames", [classifier.identity, digests[wav].sha256])
            if (stored := entry.read()) is not None:
                frames = _read(entry.path.with_suffix(".npy"), stored)
                advance(classifier.units(recording))
            else:
                frames = classifier.classify(recording, advance)
                entry.write(_write(entry.path.with_suffix(".npy"), frames))
            yield recording, frames


def _write(path: Path, frames: Frames) -> StoredFrames:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, frames.probabilities, allow_pickle=False)
    write_bytes(path, buffer.getvalue())
    return StoredFrames(frames.rate, hashlib.sha256(buffer.getvalue()).hexdigest())


def _read(path: Path, stored: StoredFrames) -> Frames:
    import numpy as np

    content = read_bounded(path)
    if hashlib.sha256(content).hexdigest() != stored.sha256:
        raise UserError(f"{path} was changed after it was written: remove it and the .json file beside it.")
    return Frames(np.load(io.BytesIO(content), allow_pickle=False), stored.rate)
