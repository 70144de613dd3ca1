"""A task's segmentation settings: the segmenter of each test set, its limits, and settings of single segmenters."""

import math
import re
from enum import StrEnum
from pathlib import Path

import msgspec

from harness.core import manifests

FILE = "file:"  # begins, before its path, the name of a segmentation that was made elsewhere


class Algorithm(StrEnum):
    """Algorithms from frame probabilities to segments: three as published, and two without their faults."""

    PDAC = "pdac"
    PDAC_NOT_STRICT = "pdac-not-strict"
    PDAC_WHOLE = "pdac-whole"
    PSTRM = "pstrm"
    PSTRM_ALIGNED = "pstrm-aligned"


class ShasSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The SHAS classifier and its windows; the defaults are the published ones.

    Source: Tsiamas et al., Interspeech 2022, section 4.1; github.com/mt-upc/SHAS, src/supervised_hybrid/segment.py.

    Attributes:
        checkpoint: file with the frame classifier; a relative path is read against the project's folder.
        sha256: the checkpoint's checksum; empty to record it at first use and to enforce it from then on.
        encoder: directory of the wav2vec 2.0 model in Hugging Face's layout (config.json, model.safetensors).
        listen_seconds: length of the encoder's windows.
        inference_times: passes over a recording with shifted windows, whose probabilities are averaged.
        batch_size: windows per batch; it changes the probabilities, since a batch is padded to its longest window.
    """

    checkpoint: str = "data/local/shas/mult_sfc_model_epoch-4.pt"
    sha256: str = ""
    encoder: str = "data/local/wav2vec2-xls-r-300m"
    listen_seconds: float = 20.0
    inference_times: int = 1
    batch_size: int = 12

    def __post_init__(self) -> None:
        """Refuse values with which no recording can be classified."""
        if self.sha256 and not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError("segmentation.shas.sha256 must be empty or 64 hex digits in lower case")
        if not (math.isfinite(self.listen_seconds) and 1 <= self.listen_seconds <= 600):
            raise ValueError("segmentation.shas.listen_seconds must be between 1 and 600")
        if self.inference_times < 1 or self.batch_size < 1:
            raise ValueError("segmentation.shas.inference_times and batch_size must be at least 1")

    @property
    def checkpoint_path(self) -> Path:
        """The frame classifier's file."""
        return manifests.data_root() / Path(self.checkpoint).expanduser()

    @property
    def encoder_path(self) -> Path:
        """The wav2vec 2.0 model's directory."""
        return manifests.data_root() / Path(self.encoder).expanduser()


class PauseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the segmenter `pause`.

    Attributes:
        pause_seconds: length from which on silence is a pause.
        silence_db: level from which on samples are silent, in dB relative to the recording's loudness; below 0.
        short_seconds: segments shorter than this are joined with a neighbour where `max_seconds` allows it.
    """

    pause_seconds: float = 0.3
    silence_db: float = -16.0
    short_seconds: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values by which nothing or everything is a pause."""
        if not (math.isfinite(self.pause_seconds) and 0.05 <= self.pause_seconds <= 60):
            raise ValueError("segmentation.pause.pause_seconds must be between 0.05 and 60")
        if not (math.isfinite(self.silence_db) and -96 <= self.silence_db < 0):
            raise ValueError("segmentation.pause.silence_db must be at least -96 and below 0")
        if not 0 <= self.short_seconds < math.inf:
            raise ValueError("segmentation.pause.short_seconds must be at least 0")


class Segmenting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How recordings are segmented.

    Attributes:
        default: the method for every test set that `sets` does not name: a segmenter's name, such as `gold`, `shas` or
            `pause`, or `file:PATH` for a segmentation in YAML.
        sets: the method for some sets, by the set's name or by its name in the campaign's archive.
        window: length in seconds of the model's audio window; no segment is longer.
        algorithm: makes segments from frame probabilities.
        max_seconds: upper limit of a segment's length.
        min_seconds: a split is carried out only when both halves are longer than this.
        threshold: probability from which a frame is speech.
        shas: settings of the segmenter `shas`.
        pause: settings of the segmenter `pause`.
        options: settings of segmenters of installed packages, by the segmenter's name.
    """

    default: str = "gold"
    sets: dict[str, str] = {}
    window: float = 30.0
    algorithm: Algorithm = Algorithm.PDAC
    max_seconds: float = 18.0
    min_seconds: float = 0.2
    threshold: float = 0.5
    shas: ShasSettings = ShasSettings()
    pause: PauseSettings = PauseSettings()
    options: dict[str, dict[str, str | float | bool]] = {}

    def __post_init__(self) -> None:
        """Refuse limits that no segment can satisfy: with min above max, the published pDAC loses all audio."""
        if not 0 < self.max_seconds <= self.window < math.inf:
            raise ValueError("segmentation.max_seconds must be above 0 and at most segmentation.window")
        if not 0 <= self.min_seconds < self.max_seconds:
            raise ValueError("segmentation.min_seconds must be at least 0 and below segmentation.max_seconds")
        if not 0 <= self.threshold <= 1:
            raise ValueError("segmentation.threshold must be between 0 and 1")

    def by(self, method: str) -> "Segmenting":
        """Return the same settings with one method for every set."""
        return msgspec.structs.replace(self, default=method, sets={})

    def method_for(self, name: str, campaign_name: str) -> str:
        """Return the method for a test set; its own name takes precedence over its name in the campaign."""
        return self.sets.get(name) or self.sets.get(campaign_name) or self.default
