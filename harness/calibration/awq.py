"""Activation-aware scales: autoawq's search, on what a speech model really hears (Lin et al. 2024; Diet-KIT 4.5).

autoawq searches, per fold, 20 scales between "all from the weights" and "all from the activations", and keeps the one
with the smallest output error. Here its pseudo-quantiser is the codec that will store the tensor, so that 3 and 4 bits
may stand side by side, and its calibration data are audio prompts sent through the whole model.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from harness.calibration.base import Measurement, StoredRequest
from harness.calibration.development import DevelopmentExample, datasets, describe, read_sentences
from harness.compression.codecs.base import Codec
from harness.compression.measurement_request import MeasurementRequest, PlanContext
from harness.compression.transforms.base import Transform
from harness.compression.transforms.fold import FOLDS, FoldScales, scale_name
from harness.core.errors import MissingExtraError, UserError
from harness.core.files import published, sha256_of
from harness.core.progress import progress
from harness.core.safetensors_io import write_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from harness.calibration.context import MeasurementContext

_DECODER = "language_model.model.layers."
REVISION = 3
"""Of the search as a whole: a change that finds other scales raises it, so that older measurements are not taken."""
LIBRARIES = ("autoawq", "hqq", "torch", "transformers")


class Prompts(StrEnum):
    """What the model reads during calibration (Diet-KIT table 5)."""

    SOURCE = "source"
    GERMAN = "en-de"
    CHINESE = "en-zh"


class FoldError(msgspec.Struct, frozen=True):
    """What the search found at one fold.

    Attributes:
        layer: index of the decoder layer.
        fold: name of the fold.
        plain: mean squared output error of the codecs without scales, on the calibration data.
        scaled: the same with the scales that were kept.
    """

    layer: int
    fold: str
    plain: float
    scaled: float


class AwqScales(Measurement, frozen=True, kw_only=True):
    """The scales that were found; they lie beside this file as `<key>.safetensors`.

    Attributes:
        sha256: of the file of scales.
        sentences: how many were calibrated on.
        errors: per fold.
    """

    sha256: str
    sentences: int
    errors: tuple[FoldError, ...]


@dataclass(frozen=True)
class MeasureScales(StoredRequest[AwqScales]):
    """Asks for the scales of one assignment of codecs.

    Attributes:
        prompts: what the model reads.
        share: part of the development sentences that is used, above 0, at most 1.
        codecs: codec of every linear weight of the decoder layers, by canonical name, sorted.
    """

    result: ClassVar[type[Measurement]] = AwqScales
    kind: ClassVar[str] = "MeasureScales"

    prompts: Prompts
    share: float
    codecs: tuple[tuple[str, Codec], ...]

    @property
    def title(self) -> str:
        """Names the data."""
        return f"AWQ scales from {self.share:.0%} of the development set, {self.prompts} prompts"

    @property
    def effort(self) -> float:
        """In proportion to the sentences."""
        return self.share

    def require(self, context: "MeasurementContext") -> None:
        """Check that autoawq can be imported and that there is development data."""
        require_awq()
        context.development()

    def inputs(self, context: "MeasurementContext") -> object:
        """The base, the data and the codecs; versions too, since the search depends on them."""
        from importlib.metadata import version

        require_awq()
        codecs = [(name, msgspec.to_builtins(codec)) for name, codec in self.codecs]
        versions = [(library, version(library)) for library in LIBRARIES]
        return [REVISION, context.fingerprint, describe(context), self.prompts, self.share, codecs, versions]

    def make(self, context: "MeasurementContext", key: str) -> AwqScales:
        """Search layer by layer, on the outputs of the uncompressed model.

        Raises:
            UserError: the role has no such direction, or the search finds no finite scale.
        """
        from harness.calibration.awq_search import search
        from harness.inference.load import load_dense

        engine = load_dense(context.checkpoint, context.device)
        sentences = choose(read_sentences(context, engine), self.prompts, self.share)
        found: dict[str, Tensor] = {}
        errors: list[FoldError] = []
        with progress(
            f"AWQ ({self.prompts})", len(FOLDS) * engine.model.config.text_config.num_hidden_layers
        ) as advance:
            for fold in search(engine, sentences, dict(self.codecs)):
                found[scale_name(fold.layer, fold.name)] = fold.scales
                errors.append(FoldError(fold.layer, fold.name, fold.plain, fold.scaled))
                advance(1)
        path = context.workdir.measurements / f"{key}.safetensors"
        with published(path) as temporary:
            write_tensors(temporary, found)
        return AwqScales(
            key=key,
            datasets=datasets(context),
            sha256=sha256_of(path),
            sentences=len(sentences),
            errors=tuple(errors),
        )


@dataclass(frozen=True)
class Awq:
    """The transform of a recipe: fold the scales that suit the recipe's own codecs.

    Attributes:
        prompts: what the model reads during calibration.
        share: part of the development sentences that is used.
    """

    prompts: Prompts = Prompts.SOURCE
    share: float = 1.0

    @property
    def needs(self) -> tuple[MeasurementRequest[Any], ...]:
        """The scales; their codecs are known only when the rules are resolved."""
        return (MeasureScales(self.prompts, self.share, ()),)

    def resolve(self, context: PlanContext) -> Transform:
        """Return the fold of the measured scales."""
        names = sorted(s.name for s in context.tensors if s.is_linear and s.name.startswith(_DECODER))
        request = MeasureScales(self.prompts, self.share, tuple((name, context.codecs[name]) for name in names))
        measured = context.measure(request)
        return FoldScales(measured.key, measured.sha256)


def require_awq() -> None:
    """Check that autoawq is installed.

    Raises:
        MissingExtraError: it is not.
    """
    from importlib.util import find_spec

    if find_spec("awq") is None:
        raise MissingExtraError("AWQ calibration", "autoawq", "awq")


def choose(sentences: tuple[DevelopmentExample, ...], prompts: Prompts, share: float) -> list[DevelopmentExample]:
    """Return the calibration sentences, spread evenly over the development set.

    With source prompts every segment is read once, asked for the directions in turn, and without its translation;
    with pairs, in one direction and with the translation after the prompt.

    Raises:
        UserError: the role has no such direction.
    """
    directions = list(dict.fromkeys(sentence.direction for sentence in sentences))
    if prompts is not Prompts.SOURCE and str(prompts) not in directions:
        raise UserError(f"Calibration on {prompts} pairs needs development data for {prompts}: name it in the task.")
    by_direction = {name: [s for s in sentences if s.direction == name] for name in directions}
    if prompts is Prompts.SOURCE:
        segments = len(by_direction[directions[0]])
        pool = [_without_target(by_direction[directions[i % len(directions)]][i]) for i in range(segments)]
    else:
        pool = by_direction[str(prompts)]
    count = max(1, round(share * len(pool)))
    return [pool[i * len(pool) // count] for i in range(count)]


def _without_target(sentence: DevelopmentExample) -> DevelopmentExample:
    example = sentence.example
    return DevelopmentExample(sentence.direction, type(example)(example.features, example.prompt))
