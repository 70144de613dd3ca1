"""Log-mel features of training rows, cached on disk so that later epochs and runs need not compute them."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.audio.recording import read_stretch
from harness.core.errors import UserError
from harness.core.files import key_of, temporary_beside
from harness.finetune.data import TrainingExample
from harness.inference.features import Features, extract_features

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from transformers import WhisperFeatureExtractor

_MARGIN = 4
"""Frames after the audio that may differ from silence: a frame covers 200 samples on each side of its centre."""


class CachedFeatures:
    """Features of training rows in half precision, one .npy file per row's audio.

    Computed features are rounded to half precision (relative 0.0005) as well, so that a run with cached features equals
    one that computes them. The files are not envelopes of the store and not synced: there are thousands of small ones,
    `np.load` refuses a truncated file, and each can be computed again.
    """

    def __init__(self, folder: Path, extractor: "WhisperFeatureExtractor") -> None:
        self._folder, self._extractor, self._settings = folder, extractor, extractor.to_json_string()

    def extract(self, row: TrainingExample) -> Features:
        """Return the features of a row.

        Raises:
            UserError: its audio cannot be read, is too long or too short.
        """
        key = key_of([row.audio_sha256, row.offset, row.duration, self._settings])
        path = self._folder / key[:2] / f"{key}.npy"
        if (stored := _load(path)) is None:
            try:
                computed = extract_features(read_stretch(row.recording, row.offset, row.duration), self._extractor)
            except UserError as error:
                raise UserError(f"{row.where}: {error}") from error
            stored = _compact(computed)
            _save(path, stored)
        return _restore(stored, self._extractor.nb_max_frames)


def _compact(features: Features) -> "NDArray[np.float16]":
    """Return a column with the number of frames with audio, these frames, and a column of the padding value."""
    import numpy as np

    mel = features.mel.numpy().astype(np.float16)
    kept = min(features.frames + _MARGIN, mel.shape[1])
    if np.any(mel[:, kept:] != mel[0, -1]):  # after the margin all values of the padding should be equal
        kept = mel.shape[1]
    count = np.full((mel.shape[0], 1), 0, dtype=np.float16)
    count[:2, 0] = divmod(features.frames, 1000)  # half precision represents integers exactly only up to 2048
    fill = np.full((mel.shape[0], 1), mel[0, -1])
    return np.concatenate([count, mel[:, :kept], fill], axis=1)


def _restore(stored: "NDArray[np.float16]", window: int) -> Features:
    import numpy as np
    import torch

    mel = np.full((stored.shape[0], window), stored[0, -1], dtype=np.float32)
    mel[:, : stored.shape[1] - 2] = stored[:, 1:-1]
    return Features(torch.from_numpy(mel), int(stored[0, 0]) * 1000 + int(stored[1, 0]))


def _load(path: Path) -> "NDArray[np.float16] | None":
    import numpy as np

    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float16)
    except (FileNotFoundError, ValueError, EOFError):  # missing, or truncated by a power cut
        return None


def _save(path: Path, stored: "NDArray[np.float16]") -> None:
    import numpy as np

    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            np.save(stream, stored)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error
