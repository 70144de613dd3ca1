"""The search for activation-aware scales, layer by layer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.calibration.awq_quantizer import Codecs, LayerInputs, scale_search
from harness.calibration.development import DevelopmentExample
from harness.calibration.prefix import Prefix, decoder_of, run_layer
from harness.calibration.sensitivity import by_length
from harness.compression.codecs.base import Codec
from harness.compression.transforms.fold import FOLDS, Fold
from harness.core.errors import UserError
from harness.inference.engine import Engine
from harness.inference.prompting import right_padded
from harness.models.qwen2_audio import canonical_name

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Found:
    """The best scales of one fold (float32 by channel), and the mean squared output error without and with them."""

    layer: int
    name: str
    scales: "Tensor"
    plain: float
    scaled: float


def search(
    engine: Engine, sentences: Sequence[DevelopmentExample], codecs: Mapping[str, Codec], batch_size: int = 8
) -> Iterator[Found]:
    """Yield the best scales of every fold, layer by layer, for the inputs of the uncompressed model, as in autoawq.

    Args:
        engine: the uncompressed model; its weights are the same afterwards.
        sentences: calibration sentences.
        codecs: codec of every linear weight of the decoder layers by canonical name.
        batch_size: sentences per attention step; few need little padding, and their values stay in the cache.

    Raises:
        UserError: no scale gives a finite error.
    """
    import torch

    names = {id(module): canonical_name(f"{path}.weight") for path, module in engine.model.named_modules()}
    batches = _capture(engine, sentences, batch_size)
    for index, layer in enumerate(decoder_of(engine.model).layers):
        with torch.no_grad():
            features, following = _through(layer, batches)
        quantizer = scale_search(layer, batches, Codecs(codecs, names))
        for fold in FOLDS:
            yield _search_fold(quantizer, index, fold, features[fold.readers[0]])
        batches = following


def _capture(engine: Engine, sentences: Sequence[DevelopmentExample], batch_size: int) -> tuple[LayerInputs, ...]:
    """Return the inputs of the first decoder layer, in batches of similar length."""
    examples = [sentence.example for sentence in sentences]
    groups = [[examples[i] for i in batch] for batch in by_length(examples, batch_size)]
    captured = Prefix(engine, groups, lambda _count: None).captured()
    real = (right_padded(engine, group).attention_mask.bool() for group in groups)
    return tuple(LayerInputs(state, mask, arguments) for (state, arguments), mask in zip(captured, real, strict=True))


def _through(layer: Any, batches: Sequence[LayerInputs]) -> "tuple[dict[str, Tensor], tuple[LayerInputs, ...]]":
    """Run a layer; return its modules' inputs at real tokens, shape (tokens, channels), and the next layer's inputs."""
    import torch

    readers = [fold.readers[0] for fold in FOLDS]
    captured: dict[str, list[Tensor]] = {name: [] for name in readers}
    after = []
    for batch in batches:
        hooks = [
            layer.get_submodule(name).register_forward_pre_hook(
                lambda _module, inputs, name=name, real=batch.real: captured[name].append(inputs[0][real])
            )
            for name in readers
        ]
        after.append(LayerInputs(run_layer(layer, batch.state, batch.arguments), batch.real, batch.arguments))
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(parts) for name, parts in captured.items()}, tuple(after)


def _search_fold(quantizer: Any, index: int, fold: Fold, features: "Tensor") -> Found:
    layer = quantizer.layer
    previous, inspected = layer.get_submodule(fold.name), layer.get_submodule(fold.inspected)
    readers = [layer.get_submodule(name) for name in fold.readers]
    _, _, scales = quantizer._search_best_scale(layer, previous, readers, features, inspected)  # noqa: SLF001 - it has no public name
    if not quantizer.errors or not bool(scales.isfinite().all()):
        raise UserError(f"AWQ found no finite scale for layer {index}, {fold.name}: check the checkpoint.")
    return Found(index, fold.name, scales.float(), quantizer.plain_error(readers), min(quantizer.errors))
