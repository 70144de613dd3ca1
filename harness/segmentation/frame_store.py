"""Frame probabilities as files: what is slow about segmenting is done once per recording and kept by content.

Other limits, another algorithm: the same file. A kill loses at most the recording in work.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.audio.recording import Recording, open_recording
from harness.core.checksums import directory_digests
from harness.core.errors import UserError
from harness.core.files import key_of, published
from harness.core.progress import Advance, progress
from harness.core.workdir import WorkDir
from harness.segmentation.frames import Frames

if TYPE_CHECKING:
    from harness.testsets.testset import TestSet

FORMAT = 1


class FrameClassifier(Protocol):
    """Hears recordings frame by frame."""

    @property
    def identity(self) -> list[object]:
        """What its probabilities depend on beside the recording."""

    def units(self, recording: Recording) -> int:
        """Return how many units of work a recording is."""

    def classify(self, recording: Recording, advance: Advance) -> Frames:
        """Return the probabilities of a recording's frames."""


def all_frames(
    test_set: "TestSet", classifier: FrameClassifier, workdir: WorkDir
) -> Iterator[tuple[Recording, Frames]]:
    """Yield every recording of a test set in FILE_ORDER order with its frames; what is stored already is read.

    Raises:
        UserError: a recording is missing or does not read, a model is missing, or a stored file is damaged.
    """
    recordings = [open_recording(test_set.audio / wav) for wav in test_set.file_order]
    sums = directory_digests(test_set.audio, test_set.file_order, workdir.cache)
    with progress(f"listen {test_set.name}", sum(map(classifier.units, recordings))) as advance:
        for recording, wav in zip(recordings, test_set.file_order, strict=True):
            key = key_of(["frames", FORMAT, classifier.identity, sums[wav].sha256])
            path = workdir.segmentations / "frames" / f"{key}.npz"
            if path.is_file():
                frames = _read(path)
                advance(classifier.units(recording))
            else:
                frames = classifier.classify(recording, advance)
                _write(path, frames)
            yield recording, frames


def _write(path: Path, frames: Frames) -> None:
    import numpy as np

    with published(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, probabilities=frames.probabilities, rate=np.float64(frames.rate))


def _read(path: Path) -> Frames:
    import zipfile

    import numpy as np

    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            frames = Frames(stored["probabilities"], float(stored["rate"]))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} does not read ({error}): delete it and segment again.") from error
    values = frames.probabilities
    if values.dtype != np.float64 or values.ndim != 1 or not len(values) or not frames.rate > 0:
        raise UserError(f"{path} does not hold frame probabilities: delete it and segment again.")
    return frames
