"""Settings of scoring, as a task states them."""

import re
from enum import StrEnum
from pathlib import Path

import msgspec

from harness.core import manifests
from harness.core.manifests import ManifestTable


class CometPrecision(StrEnum):
    """In which type a model computes."""

    HALF = "float16"
    SINGLE = "float32"


class Comet(ManifestTable, frozen=True):
    """A COMET checkpoint and how it is run.

    Attributes:
        checkpoint: folder with `hparams.yaml` and `checkpoints/model.ckpt`, relative to the project's folder.
        hub: repository on the Hugging Face hub that the folder is a copy of; signatures name the model after it, but
            for a folder whose `card.json` has a name of its own, as the demo's has; empty for no repository.
        batch_size: segments per batch; it enters the signature, since padding changes the last digits.
        precision: type that the model computes in; comet-score 2.2.7 uses float16, older ones float32, and they differ
            in the fourth digit of the 0 to 1 scale.
        trusted_sha256: sha256 of a `model.ckpt` that may be loaded although it holds more than weights; empty for none.
        sources: files of source sentences, one per reference line, for test sets that came without; by set.
    """

    checkpoint: str = "data/local/wmt22-comet-da"
    hub: str = "Unbabel/wmt22-comet-da"
    batch_size: int = 16
    precision: CometPrecision = CometPrecision.HALF
    trusted_sha256: str = ""
    sources: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse values that no model can be run with."""
        if self.batch_size < 1:
            raise ValueError("scoring.comet.batch_size must be at least 1")
        if self.trusted_sha256 and not re.fullmatch(r"[0-9a-f]{64}", self.trusted_sha256):
            raise ValueError("scoring.comet.trusted_sha256 must be 64 hex digits in lower case")

    @property
    def path(self) -> Path:
        """The checkpoint's folder."""
        return manifests.data_root() / Path(self.checkpoint).expanduser()


class Scoring(ManifestTable, frozen=True):
    """How translations are scored.

    Attributes:
        metrics: names of registered scorers, in the order of the leaderboard's columns; the first one ranks.
        resegmenter: what cuts translations along the reference lines where they were segmented otherwise.
        postprocess: what is done to every system's translations before they are scored; `none` by default.
        comet: the COMET model; without it COMET is not measured.
        comets: further COMET models by the name of their metric, e.g. `XCOMET`; `metrics` may name them.
    """

    metrics: tuple[str, ...] = ("BLEU", "chrF")
    resegmenter: str = "mweralign"
    postprocess: str = "none"
    comet: Comet | None = None
    comets: dict[str, Comet] = msgspec.field(default_factory=dict)

    def with_postprocess(self, name: str | None) -> "Scoring":
        """Return the settings with another post-processing; as they are without a name."""
        return self if name is None else msgspec.structs.replace(self, postprocess=name)
