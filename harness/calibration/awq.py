"""Activation-aware scales: autoawq's search on the activations of audio prompts (Lin et al. 2024; Diet-KIT 4.5).

For each fold, autoawq tries 20 exponents between scales from the weights alone and scales from the activations alone,
and keeps the one with the smallest output error. Here the codec of each tensor replaces autoawq's pseudo-quantiser, so
that 3 and 4 bits can be mixed, and the calibration data are audio prompts that pass through the whole model.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from harness.calibration.awq_search import search
from harness.calibration.base import Measurement, StoredRequest, store_tensors
from harness.calibration.context import MeasurementContext
from harness.calibration.development import DevelopmentExample, datasets, describe, read_sentences
from harness.compression.codecs.base import Codec
from harness.compression.measurement_request import MeasurementRequest
from harness.compression.plan_context import PlanContext
from harness.compression.transforms.base import Transform
from harness.compression.transforms.fold import FOLDS, FoldScales, scale_name
from harness.core.errors import MissingExtraError, UserError
from harness.core.progress import progress
from harness.inference.load import load_dense
from harness.inference.prompting import Example

if TYPE_CHECKING:
    from torch import Tensor

_DECODER = "language_model.model.layers."
REVISION = 3
"""Revision of the search: increase it with any change that finds other scales, so that older results are not used."""
LIBRARIES = ("autoawq", "hqq", "torch", "transformers")


class Prompts(StrEnum):
    """The texts of the calibration data (Diet-KIT table 5): source audio, or also the translations of one direction."""

    SOURCE = "source"
    GERMAN = "en-de"
    CHINESE = "en-zh"


class FoldError(msgspec.Struct, frozen=True):
    """The mean squared output error at one fold on the calibration data, without (plain) and with the best scales."""

    layer: int
    fold: str
    plain: float
    scaled: float


class AwqScales(Measurement, frozen=True, kw_only=True):
    """The best scales, stored in `<key>.safetensors` with this checksum, and the number of calibration sentences."""

    sha256: str
    sentences: int
    errors: tuple[FoldError, ...]


@dataclass(frozen=True)
class MeasureScales(StoredRequest[AwqScales]):
    """Requests the scales for the codecs of all linear weights of the decoder layers, sorted by canonical name.

    The other settings are those of `Awq`.
    """

    result: ClassVar[type[Measurement]] = AwqScales
    kind: ClassVar[str] = "MeasureScales"

    prompts: Prompts
    share: float
    codecs: tuple[tuple[str, Codec], ...]

    @property
    def title(self) -> str:
        """Description of the calibration data."""
        return f"AWQ scales from {self.share:.0%} of the development set, {self.prompts} prompts"

    @property
    def effort(self) -> float:
        """Proportional to the number of sentences."""
        return self.share

    def require(self, context: MeasurementContext) -> None:
        """Check that autoawq is installed and that the task has development data."""
        require_awq()
        context.development()

    def inputs(self, context: MeasurementContext) -> object:
        """Return the base, the data, the codecs, and the versions of the libraries on which the search depends."""
        from importlib.metadata import version

        require_awq()
        codecs = [(name, msgspec.to_builtins(codec)) for name, codec in self.codecs]
        versions = [(library, version(library)) for library in LIBRARIES]
        return [REVISION, context.fingerprint, describe(context), self.prompts, self.share, codecs, versions]

    def make(self, context: MeasurementContext, key: str) -> AwqScales:
        """Search layer by layer, on the activations of the uncompressed model.

        Raises:
            UserError: the role does not have the direction of the prompts, or no scale gives a finite error.
        """
        engine = load_dense(context.checkpoint, context.device)
        sentences = choose(read_sentences(context, engine), self.prompts, self.share)
        found: dict[str, Tensor] = {}
        errors: list[FoldError] = []
        folds = len(FOLDS) * engine.model.config.text_config.num_hidden_layers
        with progress(f"AWQ ({self.prompts})", folds) as advance:
            for fold in search(engine, sentences, dict(self.codecs)):
                found[scale_name(fold.layer, fold.name)] = fold.scales
                errors.append(FoldError(fold.layer, fold.name, fold.plain, fold.scaled))
                advance(1)
        sha256, count = store_tensors(context, key, found), len(sentences)
        return AwqScales(key=key, datasets=datasets(context), sha256=sha256, sentences=count, errors=tuple(errors))


@dataclass(frozen=True)
class Awq:
    """A recipe's transform that folds the best scales for the recipe's codecs.

    Attributes:
        prompts: texts of the calibration data.
        share: fraction of the development sentences to use, above 0 and at most 1.
    """

    prompts: Prompts = Prompts.SOURCE
    share: float = 1.0

    @property
    def needs(self) -> tuple[MeasurementRequest[Any], ...]:
        """The scales, without the codecs, which are known only when the rules are resolved."""
        return (MeasureScales(self.prompts, self.share, ()),)

    def resolve(self, context: PlanContext) -> Transform:
        """Return the transform that folds the measured scales."""
        names = sorted(s.name for s in context.tensors if s.is_linear and s.name.startswith(_DECODER))
        request = MeasureScales(self.prompts, self.share, tuple((name, context.codecs[name]) for name in names))
        measured = context.measure(request)
        return FoldScales(measured.key, measured.sha256)


def require_awq() -> None:
    """Check that autoawq is installed.

    Raises:
        MissingExtraError: it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("awq") is None:
        raise MissingExtraError("AWQ calibration", "autoawq", "awq")


def choose(sentences: tuple[DevelopmentExample, ...], prompts: Prompts, share: float) -> list[DevelopmentExample]:
    """Return the calibration sentences, distributed evenly over the development set.

    With source prompts each segment appears once, without its translation, and the prompts' directions alternate; with
    a direction's prompts, each segment appears in that direction with its translation.

    Raises:
        UserError: the role does not have the direction of the prompts.
    """
    directions = list(dict.fromkeys(sentence.direction for sentence in sentences))
    if prompts is not Prompts.SOURCE and str(prompts) not in directions:
        raise UserError(
            f"Calibration with {prompts} prompts needs development data for {prompts}: add it to the task's profile."
        )
    by_direction = {name: [s for s in sentences if s.direction == name] for name in directions}
    if prompts is Prompts.SOURCE:
        segments = len(by_direction[directions[0]])
        chosen = (by_direction[directions[i % len(directions)]][i] for i in range(segments))
        pool = [DevelopmentExample(s.direction, Example(s.example.features, s.example.prompt)) for s in chosen]
    else:
        pool = by_direction[str(prompts)]
    count = max(1, round(share * len(pool)))
    return [pool[i * len(pool) // count] for i in range(count)]
