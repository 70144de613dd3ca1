"""What the model hears of a training row: log-mel features, computed once and kept on disk for every later epoch."""

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
"""Frames after the audio that may still differ from the silence behind them: a frame looks 200 samples ahead."""


class FeatureStore:
    """Features of training rows, half precision, one file per stretch of audio.

    Rounding to half precision (relative 0.0005) applies to the first epoch as to all others, so that a run which finds
    its features on disk equals one which computes them.
    """

    def __init__(self, folder: Path, extractor: "WhisperFeatureExtractor") -> None:
        self._folder = folder
        self._extractor = extractor
        self._settings = extractor.to_json_string()

    def extract(self, row: TrainingExample) -> Features:
        """Return the features of a row.

        Raises:
            UserError: its audio does not read, or is too short to be heard at all.
        """
        key = key_of([row.audio_sum, row.offset, row.duration, self._settings])
        path = self._folder / key[:2] / f"{key}.npy"
        stored = _load(path)
        if stored is None:
            stored = _compact(self._extract(row))
            _save(path, stored)
        return _restore(stored, self._extractor.nb_max_frames)

    def _extract(self, row: TrainingExample) -> Features:
        try:
            return extract_features(read_stretch(row.recording, row.offset, row.duration), self._extractor)
        except UserError as error:
            raise UserError(f"{row.where}: {error}") from error


def _compact(features: Features) -> "NDArray[np.float16]":
    """Return the frames up to the silence that fills the window, after a column that holds how many are audio.

    Behind the margin the window is filled with one value; where it is not, every frame is kept.
    """
    import numpy as np

    mel = features.mel.numpy().astype(np.float16)
    kept = min(features.frames + _MARGIN, mel.shape[1])
    if np.any(mel[:, kept:] != mel[0, -1]):
        kept = mel.shape[1]
    count = np.full((mel.shape[0], 1), 0, dtype=np.float16)
    count[:2, 0] = divmod(features.frames, 1000)  # half precision counts exactly up to 2048 only
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
    except FileNotFoundError:
        return None
    except (ValueError, EOFError):  # torn by a power cut: it can be computed again
        return None


def _save(path: Path, stored: "NDArray[np.float16]") -> None:
    """Write without fsync: thousands of small files, and each can be computed again."""
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
