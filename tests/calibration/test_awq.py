"""harness.calibration.awq against autoawq's own search."""

from importlib.util import find_spec

import pytest
import torch

from harness.calibration import Awq, Prompts
from harness.calibration.awq import choose, require_awq
from harness.calibration.awq_quantizer import Codecs, LayerInputs, copied_state, import_quantizer, root, scale_search
from harness.calibration.awq_search import _capture, search
from harness.calibration.context import MeasurementContext
from harness.calibration.development import DevelopmentExample, read_sentences
from harness.calibration.prefix import decoder_of
from harness.compression.codecs import Codec, Hqq, Parts
from harness.compression.plan import resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import LINEAR
from harness.compression.transforms.fold import FOLDS, Fold
from harness.core.errors import MissingExtraError, UserError
from harness.inference.features import Features
from harness.inference.load import load_dense
from harness.inference.prompting import Example
from harness.models.tensor_spec import TensorSpec
from tests.helpers.contexts import tiny_context

pytestmark = pytest.mark.skipif(find_spec("awq") is None, reason="autoawq is an extra")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> MeasurementContext:
    torch.set_num_threads(1)
    return tiny_context(tmp_path_factory.mktemp("awq"))


def sentences(count: int) -> tuple[DevelopmentExample, ...]:
    """Return sentences of two directions without audio, with their number and direction as prompt."""
    features = Features(torch.zeros(1, 1), 1)
    return tuple(
        DevelopmentExample(pair, Example(features, (number, which), (7,)))
        for which, pair in enumerate(("en-de", "en-zh"))
        for number in range(count)
    )


def test_source_prompts_read_every_segment_once_without_its_translation() -> None:
    """Forbids targets in source-only calibration, and a direction without prompts."""
    chosen = choose(sentences(4), Prompts.SOURCE, 1.0)
    assert [sentence.example.prompt for sentence in chosen] == [(0, 0), (1, 1), (2, 0), (3, 1)]
    assert {sentence.example.target for sentence in chosen} == {()}


@pytest.mark.parametrize(("share", "count"), [(128 / 468, 82), (256 / 468, 164), (1.0, 300), (1e-9, 1)])
def test_shares_of_the_published_set_carry_over(share: float, count: int) -> None:
    """Forbids other fractions than 27 %, 55 % and 100 % of a development set of 300, distributed evenly."""
    chosen = choose(sentences(300), Prompts.CHINESE, share)
    assert len(chosen) == count
    assert {sentence.direction for sentence in chosen} == {"en-zh"}
    numbers = [sentence.example.prompt[0] for sentence in chosen]
    assert numbers == sorted(set(numbers))


def test_pairs_in_a_missing_direction_are_refused() -> None:
    """Forbids calibration on data that the task does not have."""
    german = tuple(sentence for sentence in sentences(2) if sentence.direction == "en-de")
    with pytest.raises(UserError, match="en-zh"):
        choose(german, Prompts.CHINESE, 1.0)


@pytest.mark.parametrize("fold", [FOLDS[2], FOLDS[3]], ids=lambda fold: fold.name)
def test_the_search_is_autoawqs_own(context: MeasurementContext, fold: Fold) -> None:
    """Forbids scales other than those of autoawq's own method on the same tokens, and weights that stay changed.

    The folds are those of a block and of a single layer, which is searched on the root of its inputs.
    """
    layer = decoder_of(load_dense(context.checkpoint).model).layers[0]
    previous, inspected = layer.get_submodule(fold.name), layer.get_submodule(fold.inspected)
    readers = [layer.get_submodule(name) for name in fold.readers]
    width = readers[0].weight.shape[1]
    tokens = torch.randn(1, 300, width, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.1, 5, width)
    original = object.__new__(import_quantizer())
    original.w_bit, original.group_size, original.zero_point = 4, 64, True
    original.duo_scaling, original.max_chunk_memory = True, 1 << 30
    original.n_parallel_calib_samples = None
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    with copied_state(inspected):  # on a GPU, autoawq copies the weights itself
        _, _, wanted = original._search_best_scale(layer, previous, readers, tokens, inspected, {})

    class _Theirs(Codec, frozen=True, tag="theirs"):
        """A codec that rounds with autoawq's own function."""

        group_size: int = 64

        def encode(self, tensor: torch.Tensor) -> Parts:
            return {"": original.pseudo_quantize_tensor(tensor)[0]}

        def decode(self, parts: Parts, spec: TensorSpec) -> torch.Tensor:  # noqa: ARG002
            return parts[""]

    names = {id(reader): name for name, reader in zip(fold.readers, readers, strict=True)}
    codecs = Codecs({name: _Theirs() for name in fold.readers}, names)
    ours = scale_search(layer, [LayerInputs(tokens, torch.ones(1, 300, dtype=torch.bool), {})], codecs)
    _, _, found = ours._search_best_scale(layer, previous, readers, tokens[0], inspected)
    assert torch.allclose(found, wanted, rtol=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in layer.state_dict().items())


def test_attention_without_a_mask_is_the_layers_own(context: MeasurementContext) -> None:
    """Forbids attention outputs that differ from those in the model, where padding is masked."""
    engine = load_dense(context.checkpoint)
    chosen = choose(read_sentences(context, engine), Prompts.GERMAN, 1.0)
    attention = decoder_of(engine.model).layers[0].self_attn
    (batch,) = _capture(engine, chosen, batch_size=len(chosen))
    assert not batch.real.all()
    with torch.inference_mode():
        wanted = attention(hidden_states=batch.state, **batch.arguments)[0][batch.real]
        found = batch.attend(attention, batch.padded(batch.state[batch.real]))
    assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("tokens", [5, 48, 20000])
def test_a_root_gives_the_same_errors(tokens: int) -> None:
    """Forbids a root with other errors than all tokens, computed in float64."""
    chance = torch.Generator().manual_seed(tokens)
    inputs = torch.randn(tokens, 48, generator=chance) * torch.linspace(0.01, 30, 48)
    change = torch.randn(7, 48, generator=chance, dtype=torch.float64)
    wanted = float((inputs.double() @ change.T).square().mean())
    found = float((root(inputs).double() @ change.T).square().mean())
    assert len(root(inputs)) == min(tokens, 48)
    assert found == pytest.approx(wanted, rel=1e-5)


def test_scales_lower_the_error_and_end_in_the_plan(context: MeasurementContext) -> None:
    """Forbids scales that are worse than none on the calibration data, and a plan that does not record them."""
    recipe = Recipe(rule(LINEAR, Hqq(bits=3)), transforms=[Awq(Prompts.SOURCE)])
    found = []

    def measure(request: object) -> object:
        found.append(context.measure(request))  # type: ignore[arg-type]
        return found[-1]

    plan = resolve("awq", recipe, context.checkpoint.specs, measure)
    errors = found[0].errors
    assert len(errors) == 2 * 4
    assert sum(error.scaled for error in errors) < sum(error.plain for error in errors)
    assert plan.datasets == ("tiny-set",)
    assert (context.workdir.measurements / f"{found[0].key}.safetensors").is_file()


def test_padding_plays_no_part(context: MeasurementContext) -> None:
    """Forbids scales that depend on the batches of sentences."""
    engine = load_dense(context.checkpoint)
    chosen = choose(read_sentences(context, engine), Prompts.GERMAN, 1.0)
    codecs = {spec.name: Hqq(bits=3) for spec in context.checkpoint.specs if spec.is_linear}
    one, all_ = (list(search(load_dense(context.checkpoint), chosen, codecs, size)) for size in (1, 3))
    for single, together in zip(one, all_, strict=True):
        assert torch.allclose(single.scales, together.scales, rtol=1e-3)


def test_a_missing_autoawq_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids a traceback where the extra is not installed."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r"stcompress\[awq\]"):
        require_awq()
