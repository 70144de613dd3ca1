"""Log-mel features of segments, cached in memory because every system uses the same."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.audio.recording import RATE, open_recording, read_stretch
from harness.core.errors import UserError
from harness.core.files import key_of
from harness.testsets.segments import Segment
from harness.testsets.testset import TestSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import WhisperFeatureExtractor


@dataclass(frozen=True)
class Features:
    """Log-mel features of one segment, padded to the model's audio window.

    Attributes:
        mel: float32, shape (bins, frames of the window).
        frames: how many of the frames hold audio.
    """

    mel: "Tensor"
    frames: int

    @property
    def seconds(self) -> float:
        """Length of the audio in seconds; a frame stands for 10 ms."""
        return self.frames / 100

    @property
    def audio_tokens(self) -> int:
        """Positions of the language model that the audio takes: a convolution and a pooling each halve the frames."""
        return ((self.frames - 1) // 2 + 1 - 2) // 2 + 1


class _FeatureCache(dict[tuple[str, Segment], Features]):
    """Keeps the first features that fit and evicts none: LRU would never hit in repeated passes over a larger set."""

    free = 512 << 20  # bytes of all cached features together; features that do not fit any more are computed each time

    def put(self, key: tuple[str, Segment], features: Features) -> None:
        needed = features.mel.nbytes
        if needed <= self.free:
            self.free -= needed
            self[key] = features


_CACHE = _FeatureCache()


class FeatureReader:
    """Computes the features of one test set's segments with one feature extractor."""

    def __init__(self, test_set: TestSet, extractor: "WhisperFeatureExtractor") -> None:
        self._audio = test_set.audio
        self._extractor = extractor
        self._key = key_of([test_set.key, extractor.to_json_string()])

    def extract(self, segment: Segment) -> Features:
        """Return the features of a segment.

        Raises:
            UserError: its audio cannot be read, is longer than the model's window, or shorter than one audio token.
        """
        key = (self._key, segment)
        features = _CACHE.get(key)
        if features is None:
            recording = open_recording(self._audio / segment.wav)
            features = extract_features(read_stretch(recording, segment.offset, segment.duration), self._extractor)
            _CACHE.put(key, features)
        return features


def extract_features(samples: "NDArray[np.float32]", extractor: "WhisperFeatureExtractor") -> Features:
    """Return the features of mono audio at 16 kHz, equal to those of the checkpoint's processor.

    Raises:
        UserError: the audio is longer than the model's audio window, or shorter than one audio token.
    """
    if len(samples) > extractor.n_samples:
        raise UserError(
            f"A segment of {len(samples) / RATE:.2f} s is longer than the model's audio window of "
            f"{extractor.n_samples / RATE:g} s, and the rest would be cut silently: use shorter segments."
        )
    computed = extractor(
        [samples], sampling_rate=RATE, padding="max_length", return_attention_mask=True, return_tensors="pt"
    )
    features = Features(computed["input_features"][0], int(computed["attention_mask"].sum()))
    if features.audio_tokens < 1:
        length = f"{len(samples) / RATE:.3f} s"
        raise UserError(
            f"A segment of {length} is too short, it gives no audio token: remove it from the segmentation."
        )
    return features
