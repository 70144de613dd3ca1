"""How a task has recordings cut: the method for each test set, its limits, and the SHAS checkpoint."""

import math
import re
from enum import StrEnum
from pathlib import Path

import msgspec

from harness.core import manifests
from harness.core.errors import UserError

METHODS = ("gold", "fixed", "shas", "silero")
"""Ways to segment; a segmentation made elsewhere is named by `FILE` and its path."""
FILE = "file:"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Algorithm(StrEnum):
    """What turns frame probabilities into segments: three as published, and two without their faults."""

    PDAC = "pdac"
    PDAC_NOT_STRICT = "pdac-not-strict"
    PDAC_WHOLE = "pdac-whole"
    PSTRM = "pstrm"
    PSTRM_ALIGNED = "pstrm-aligned"


class ShasSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The SHAS classifier and how it listens; the defaults are the published ones.

    Source: Tsiamas et al., Interspeech 2022, section 4.1; github.com/mt-upc/SHAS, src/supervised_hybrid/segment.py.

    Attributes:
        checkpoint: file with the frame classifier; a relative path is read against the project's folder.
        sha256: the checkpoint's sum; empty to record it at first use and to enforce it from then on.
        encoder: directory of the wav2vec 2.0 model in Hugging Face's layout (config.json, model.safetensors).
        listen_seconds: length of the windows that the encoder hears.
        inference_times: passes over a recording with shifted windows, whose probabilities are averaged.
        batch_size: windows per batch; it reaches the numbers through padding.
    """

    checkpoint: str = "data/local/shas/mult_sfc_model_epoch-4.pt"
    sha256: str = ""
    encoder: str = "data/local/wav2vec2-xls-r-300m"
    listen_seconds: float = 20.0
    inference_times: int = 1
    batch_size: int = 12

    def __post_init__(self) -> None:
        """Refuse values that no recording can be heard with."""
        if self.sha256 and not _SHA256.fullmatch(self.sha256):
            raise ValueError("segmentation.shas.sha256 must be empty or 64 hex digits in lower case")
        if not (math.isfinite(self.listen_seconds) and 1 <= self.listen_seconds <= 600):
            raise ValueError("segmentation.shas.listen_seconds must lie between 1 and 600")
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


class Segmenting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How recordings are cut.

    Attributes:
        default: the method for every test set that `sets` does not name: `gold`, `fixed`, `shas`, `silero`, or
            `file:PATH` for a segmentation in YAML.
        sets: the method for some sets, by the set's name or by its name in the campaign's archive.
        window: seconds that the model hears; no segment is longer.
        algorithm: what turns frame probabilities into segments.
        max_seconds: length that segments stay below.
        min_seconds: a split is carried out only when both halves are longer than this.
        threshold: probability from which a frame is speech.
        shas: the SHAS classifier.
    """

    default: str = "gold"
    sets: dict[str, str] = {}
    window: float = 30.0
    algorithm: Algorithm = Algorithm.PDAC
    max_seconds: float = 18.0
    min_seconds: float = 0.2
    threshold: float = 0.5
    shas: ShasSettings = ShasSettings()

    def __post_init__(self) -> None:
        """Refuse limits under which no segment can stand: with min over max, the published pDAC loses all audio."""
        if not 0 < self.max_seconds <= self.window < math.inf:
            raise ValueError("segmentation.max_seconds must be above 0 and at most segmentation.window")
        if not 0 <= self.min_seconds < self.max_seconds:
            raise ValueError("segmentation.min_seconds must be at least 0 and below segmentation.max_seconds")
        if not 0 <= self.threshold <= 1:
            raise ValueError("segmentation.threshold must lie between 0 and 1")
        for method in (self.default, *self.sets.values()):
            if method not in METHODS and not method.startswith(FILE):
                raise ValueError(f"No segmentation is named {method!r}: there are {', '.join(METHODS)} and {FILE}PATH")

    def by(self, method: str) -> "Segmenting":
        """Return the same settings with one method for every set.

        Raises:
            UserError: there is no such method.
        """
        try:
            return msgspec.structs.replace(self, default=method, sets={})
        except ValueError as error:
            raise UserError(f"{error}.") from error

    def method_for(self, name: str, campaign_name: str) -> str:
        """Return the method for a test set; its own name goes before its campaign's."""
        return self.sets.get(name) or self.sets.get(campaign_name) or self.default
