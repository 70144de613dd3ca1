"""What the model hears of a segment: log-mel features, remembered because every system hears the same."""

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

_MEMORY_BYTES = 512 << 20
"""Features are remembered up to this many bytes in all; what comes later is made again each time."""


@dataclass(frozen=True)
class Features:
    """Log-mel features of one segment, filled up to the model's window.

    Attributes:
        mel: float32, shape (bins, frames of the window).
        frames: how many of the frames hold audio.
    """

    mel: "Tensor"
    frames: int

    @property
    def seconds(self) -> float:
        """Length of the audio: a frame for each 10 ms."""
        return self.frames / 100

    @property
    def audio_tokens(self) -> int:
        """How many positions of the language model the audio takes: a convolution and a pooling halve the frames."""
        return ((self.frames - 1) // 2 + 1 - 2) // 2 + 1


class _FeatureCache:
    """Remembers what fits; nothing is forgotten, since every pass goes through a test set in the same order."""

    def __init__(self, capacity: int) -> None:
        self._free = capacity
        self._known: dict[tuple[str, Segment], Features] = {}

    def get(self, key: tuple[str, Segment]) -> Features | None:
        return self._known.get(key)

    def put(self, key: tuple[str, Segment], features: Features) -> None:
        needed = features.mel.nbytes
        if needed <= self._free:
            self._free -= needed
            self._known[key] = features


_CACHE = _FeatureCache(_MEMORY_BYTES)


class FeatureReader:
    """Hears the segments of one test set with one feature extractor."""

    def __init__(self, test_set: TestSet, extractor: "WhisperFeatureExtractor") -> None:
        self._audio = test_set.audio
        self._extractor = extractor
        self._key = key_of([test_set.key, extractor.to_json_string()])

    def extract(self, segment: Segment) -> Features:
        """Return the features of a segment.

        Raises:
            UserError: its audio does not read, is longer than the model's window, or too short to be heard at all.
        """
        key = (self._key, segment)
        features = _CACHE.get(key)
        if features is None:
            recording = open_recording(self._audio / segment.wav)
            features = extract_features(read_stretch(recording, segment.offset, segment.duration), self._extractor)
            _CACHE.put(key, features)
        return features


def extract_features(samples: "NDArray[np.float32]", extractor: "WhisperFeatureExtractor") -> Features:
    """Return the features of mono audio at 16 kHz, just as the checkpoint's processor makes them.

    Raises:
        UserError: the audio is longer than the window, or gives not a single audio token.
    """
    if len(samples) > extractor.n_samples:
        raise UserError(
            f"A segment of {len(samples) / RATE:.2f} s is longer than the {extractor.n_samples / RATE:g} s that the "
            "model hears, and the rest would be cut silently: segment the recording more finely."
        )
    made = extractor(
        [samples], sampling_rate=RATE, padding="max_length", return_attention_mask=True, return_tensors="pt"
    )
    features = Features(made["input_features"][0], int(made["attention_mask"].sum()))
    if features.audio_tokens < 1:
        raise UserError(
            f"A segment of {len(samples) / RATE:.3f} s is too short to be heard: remove it from the segmentation."
        )
    return features
