"""Codecs whose encoder reads a measurement, shown with a small GPTQ (Frantar et al. 2023)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file

from harness.calibration.base import Measurement, StoredRequest, store_tensors
from harness.calibration.context import MeasurementContext, StoredMeasurements
from harness.calibration.development import datasets, describe, read_sentences
from harness.compression.artifact import Artifact, open_artifact
from harness.compression.build import build
from harness.compression.codecs import Certainty, Codec, Hqq, Parts, Size, register_codec
from harness.compression.codecs.base import dtype_of
from harness.compression.measured_tensors import tensors_path
from harness.compression.measurement_request import UnmeasuredError
from harness.compression.plan import Plan, plan_from_json, resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import MLP
from harness.core.errors import UserError
from harness.core.safetensors_io import TensorFile
from harness.inference.load import load_dense
from harness.inference.prompting import right_padded
from harness.models.qwen2_audio import canonical_name
from harness.models.tensor_spec import Component, TensorSpec
from tests.helpers.contexts import tiny_context


class HessianFile(Measurement, frozen=True, kw_only=True):
    """The stored Hessians."""

    sha256: str


def _add_squares(total: torch.Tensor, module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:  # noqa: ARG001
    tokens = inputs[0].flatten(0, -2)
    total += tokens.T @ tokens


@dataclass(frozen=True)
class Hessians(StoredRequest[HessianFile]):
    """Requests X'X of the inputs of every MLP projection, shape (in_features, in_features)."""

    result: ClassVar[type[Measurement]] = HessianFile
    kind: ClassVar[str] = "test-hessians"
    title: ClassVar[str] = "Hessians of the MLP projections"

    def require(self, context: MeasurementContext) -> None:
        """Check that the task has development data."""
        context.development()

    def inputs(self, context: MeasurementContext) -> object:
        """Return the base and the data."""
        return [context.fingerprint, describe(context)]

    def make(self, context: MeasurementContext, key: str) -> HessianFile:
        """Run the uncompressed model on the development sentences."""
        engine = load_dense(context.checkpoint)
        sums: dict[str, torch.Tensor] = {}
        for path, module in engine.model.named_modules():
            name = canonical_name(f"{path}.weight")
            if TensorSpec(name, (), "float32").component is Component.MLP and isinstance(module, torch.nn.Linear):
                sums[name] = torch.zeros(module.in_features, module.in_features)
                module.register_forward_pre_hook(partial(_add_squares, sums[name]))
        with torch.no_grad():
            for sentence in read_sentences(context, engine):
                engine.model(**right_padded(engine, [sentence.example]).arguments(), use_cache=False)
        return HessianFile(key=key, datasets=datasets(context), sha256=store_tensors(context, key, sums))


@register_codec
class ToyGptq(Codec, frozen=True, tag="toy-gptq"):
    """Symmetric rounding per row; each column's error is compensated in the columns that follow."""

    bits: int = 3

    @property
    def needs(self) -> tuple[Hessians, ...]:
        """The Hessians."""
        return (Hessians(),)

    def encode(self, tensor: torch.Tensor) -> Parts:
        """Round without compensation."""
        return self._encode(tensor, torch.eye(tensor.shape[1]))

    def encode_with(self, tensor: torch.Tensor, spec: TensorSpec, evidence: Sequence[TensorFile]) -> Parts:
        """Round with compensation by the Hessian of the layer's inputs."""
        return self._encode(tensor, evidence[0].read(spec.name))

    def _encode(self, tensor: torch.Tensor, hessian: torch.Tensor) -> Parts:
        weights, top = tensor.double(), 2 ** (self.bits - 1) - 1
        damped = hessian.double() + 0.01 * hessian.diagonal().mean() * torch.eye(len(hessian))
        factor = torch.linalg.cholesky(torch.linalg.inv(damped), upper=True)
        scale = weights.abs().amax(1, keepdim=True) / top
        codes = torch.zeros_like(weights)
        for i in range(weights.shape[1]):
            codes[:, i] = (weights[:, i] / scale[:, 0]).round().clamp(-top, top)
            error = (weights[:, i] - codes[:, i] * scale[:, 0]) / factor[i, i]
            weights[:, i + 1 :] -= torch.outer(error, factor[i, i + 1 :])
        return {".codes": codes.to(torch.int8), ".scale": scale.float()}

    def decode(self, parts: Parts, spec: TensorSpec) -> torch.Tensor:
        """Multiply by the scales."""
        return (parts[".codes"] * parts[".scale"]).to(dtype_of(spec))

    def size(self, spec: TensorSpec) -> Size:
        """Return one byte per weight, four per row."""
        return Size(spec.numel + 4 * spec.shape[0], Certainty.EXACT)


RECIPE = Recipe(rule(MLP, ToyGptq()))


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> MeasurementContext:
    """Return the context of the tiny task."""
    return tiny_context(tmp_path_factory.mktemp("evidence"))


@pytest.fixture(scope="module")
def plan(context: MeasurementContext) -> Plan:
    """Return the plan of the toy, measured on the tiny task's development set."""
    assert RECIPE.needs == (Hessians(),)
    return resolve("toy", RECIPE, context.checkpoint.specs, context.measure)


@pytest.fixture(scope="module")
def artifact(context: MeasurementContext, plan: Plan) -> Artifact:
    """Return the built toy."""
    return build(context.checkpoint, plan, "finetuned", context.workdir)


def test_the_artifact_records_the_measurement(context: MeasurementContext, plan: Plan, artifact: Artifact) -> None:
    """Forbids an artifact that does not name the data behind its bytes, and a record on tensors that do not use it."""
    measured = Hessians().recall(context)
    assert measured is not None
    manifest = open_artifact(artifact.path, context.workdir.cache).manifest
    assert [(each.key, each.sha256) for each in manifest.plan.evidence] == [(measured.key, measured.sha256)]
    assert manifest.calibration_datasets == ("tiny-set",)
    for row in manifest.plan.assignments:
        assert row.evidence == ((measured.key,) if isinstance(row.codec, ToyGptq) else ())
    assert plan_from_json(plan.to_json()) == plan


def test_the_output_error_on_the_calibration_data_is_lower(
    context: MeasurementContext, plan: Plan, artifact: Artifact
) -> None:
    """Forbids an encoder that does not get its evidence: |X D'|^2 = tr(D X'X D') is below that of plain rounding."""
    file = tensors_path(context.workdir.measurements, plan.evidence[0].key)
    squares = load_file(file)
    for row in plan.assignments:
        if not row.evidence:
            continue
        weight, hessian = context.checkpoint.tensor(row.tensor.name).float(), squares[row.tensor.name]
        spec = TensorSpec(row.tensor.name, row.tensor.shape, "float32")
        compensated = row.codec.decode(artifact.parts(row.tensor.name), spec) - weight
        rounded = row.codec.decode(row.codec.encode(weight), spec) - weight
        errors = [float(((d @ hessian) * d).sum()) for d in (compensated, rounded)]
        assert errors[0] < 0.9 * errors[1]


def test_nothing_changes_for_codecs_without_needs(context: MeasurementContext) -> None:
    """Forbids new fields in the plans, and so other artifact ids, of codecs that need no measurement."""
    value = resolve("hqq4", Recipe(rule(MLP, Hqq(4))), context.checkpoint.specs).to_json()
    assert value["evidence"] == ()
    assert {frozenset(row) for row in value["tensors"]} == {frozenset({"name", "shape", "dtype", "codec"})}


def test_a_missing_or_changed_measurement_is_refused(
    context: MeasurementContext, plan: Plan, artifact: Artifact, tmp_path: Path
) -> None:
    """Forbids planning without the measurement, and building with another file than the one that the plan names."""
    empty = tiny_context(tmp_path)
    stored = StoredMeasurements(empty.task, empty.role_name, empty.checkpoint, empty.workdir)
    with pytest.raises(UnmeasuredError, match="Hessians of the MLP projections"):
        resolve("toy", RECIPE, empty.checkpoint.specs, stored.measure)
    with pytest.raises(UserError, match=r"measured tensors .* are missing: remove .*json"):
        build(context.checkpoint, plan, "finetuned", empty.workdir)
    file = tensors_path(empty.workdir.measurements, plan.evidence[0].key)
    file.parent.mkdir(parents=True)
    file.write_bytes(tensors_path(context.workdir.measurements, plan.evidence[0].key).read_bytes()[:-1] + b"\x01")
    with pytest.raises(UserError, match="not those that the plan was made with"):
        build(context.checkpoint, plan, "finetuned", empty.workdir)
    assert artifact.id == open_artifact(artifact.path, tmp_path / "cache").id


def test_a_codec_that_cannot_do_without_says_so() -> None:
    """Forbids a traceback where a sweep tries a codec that encodes with measurements only."""

    class Strict(Codec, frozen=True, tag="test-strict"):
        """A codec without `encode`."""

    with pytest.raises(UserError, match="cannot encode without its measurements"):
        Strict().encode(torch.zeros(2, 2))
