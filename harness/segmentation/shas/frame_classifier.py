"""SHAS frame probabilities: how likely each frame of a recording is inside a sentence.

A recording is read window by window, so memory is bounded for recordings of any length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from harness.audio.recording import RATE, Recording, read_stretch
from harness.config.segmentation import ShasSettings
from harness.core.checksums import directory_digests
from harness.core.errors import UserError
from harness.core.progress import Advance
from harness.core.store import Store
from harness.core.workdir import WorkDir
from harness.segmentation.frames import Frames, Probabilities
from harness.segmentation.shas.checkpoint import CONFIG, load_shas, weights_path
from harness.segmentation.shas.model import ShasModel
from harness.segmentation.shas.windows import FRAME_RATE, Window, fill_gaps, frame_at, windows

RECORDED = Store("recorded-checksum", str, 1, "remove it to record the file again")


@dataclass(frozen=True)
class ShasFrameClassifier:
    """Classifies frames with SHAS; the model is loaded when the first recording is classified."""

    settings: ShasSettings
    device: str
    workdir: WorkDir

    @cached_property
    def identity(self) -> list[object]:
        """Everything that determines the probabilities beside the recording: both models' bytes, settings, versions.

        Raises:
            UserError: a model is missing, or has another sha256 than recorded.
        """
        settings, checkpoint, encoder = self.settings, self.checkpoint_sha256, self.settings.encoder_path
        digests = directory_digests(encoder, [CONFIG, weights_path(encoder).name], self.workdir.cache)
        passes = [settings.listen_seconds, settings.inference_times, settings.batch_size, self.device.partition(":")[0]]
        versions = [version("torch"), version("transformers")]
        return ["shas", checkpoint, [one.sha256 for one in digests.values()], passes, versions]

    @cached_property
    def checkpoint_sha256(self) -> str:
        """The checkpoint's sha256, verified against the task's or the one recorded at first use."""
        return verify_checksum(self.settings.checkpoint_path, self.settings.sha256, self.workdir)

    @cached_property
    def _model(self) -> ShasModel:
        _ = self.checkpoint_sha256
        return load_shas(self.settings.checkpoint_path, self.settings.encoder_path, self.device)

    def units(self, recording: Recording) -> int:
        """Return the number of windows in all passes over a recording."""
        return sum(len(one) for one in self._passes(recording))

    def classify(self, recording: Recording, advance: Advance) -> Frames:
        """Return the probabilities of a recording's frames, at 49.95 per second.

        Raises:
            UserError: the recording is truncated, or the model computes NaN.
        """
        import numpy as np

        total = np.zeros(frame_at(recording.samples))
        for planned in self._passes(recording):
            total += self._classify_pass(recording, planned, advance)
        if not np.isfinite(total).all():
            raise UserError(f"SHAS computes NaN on {recording.path}: check the checkpoint and the encoder.")
        return Frames(total / self.settings.inference_times, FRAME_RATE)

    def _passes(self, recording: Recording) -> list[tuple[Window, ...]]:
        length, times = round(self.settings.listen_seconds * RATE), self.settings.inference_times
        return [windows(recording.samples, length, round(length / times * i)) for i in range(times)]

    def _classify_pass(self, recording: Recording, planned: Sequence[Window], advance: Advance) -> Probabilities:
        """Return the probabilities of one pass over a recording."""
        import numpy as np

        track = np.full(planned[-1].last, np.nan)
        for first in range(0, len(planned), self.settings.batch_size):
            batch = planned[first : first + self.settings.batch_size]
            audio = [read_stretch(recording, one.start / RATE, (one.stop - one.start) / RATE) for one in batch]
            counts = [window.last - window.first for window in batch]
            for window, found in zip(batch, self._model.classify(audio, counts), strict=True):
                track[window.first : window.first + len(found)] = found
            advance(len(batch))
        fill_gaps(track)
        return track


def verify_checksum(path: Path, expected: str, workdir: WorkDir) -> str:
    """Return a file's sha256 after comparing it with `expected`; an empty one is recorded at first use, then enforced.

    Raises:
        UserError: the file is missing, or has another sha256.
    """
    if not path.is_file():
        advice = "put the SHAS checkpoint there, or name another one in [segmentation.shas]"
        raise UserError(f"{path} is missing: {advice}.")
    found = directory_digests(path.parent, [path.name], workdir.cache)[path.name].sha256
    record = RECORDED.entry(workdir.segmentations / "sums", str(path.resolve()))
    wanted = expected or record.get(lambda: found)
    if found != wanted:
        source = "the task names" if expected else f"{record.path} recorded at first use"
        advice = "correct the task" if expected else "remove that record if you replaced it on purpose"
        raise UserError(f"{path} has the sha256 {found}, but {source} {wanted}: restore the file, or {advice}.")
    return found
