"""Loading: the model in memory computes with the stored weights."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.compression.artifact import Artifact
from harness.compression.build import build
from harness.compression.codecs import Int8
from harness.core.workdir import open_workdir
from harness.inference import load as module
from harness.inference.load import default_dtype, load_model, load_processor
from harness.models.checkpoint import Checkpoint, open_checkpoint
from tests.helpers.recipes import plan_for
from tests.helpers.tiny_model import TinyModel, write_tiny_model


@pytest.fixture(scope="module")
def artifacts(tiny_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    workdir = open_workdir(str(tmp_path_factory.mktemp("work")))
    names = ("raw", "mixed", "int8")
    return {name: build(tiny_checkpoint, plan_for(tiny_checkpoint, name), "untuned", workdir) for name in names}


def _reference(directory: Path) -> Any:
    from transformers import Qwen2AudioForConditionalGeneration

    return Qwen2AudioForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()


def _logits(model: Any) -> torch.Tensor:
    """Run a fixed input with audio in it: 200 frames of noise and 50 audio tokens."""
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(0, 256, (2, 70), generator=generator)
    tokens[:, 4:54] = 259
    inputs = {
        "input_ids": tokens,
        "attention_mask": torch.ones_like(tokens),
        "input_features": torch.randn(2, 16, 200, generator=generator),
        "feature_attention_mask": torch.ones(2, 200, dtype=torch.long),
    }
    with torch.inference_mode():
        logits: torch.Tensor = model(**inputs).logits
    return logits


def _decoded_reference(directory: Path, artifact: Artifact) -> Any:
    """Return transformers' own model with every weight replaced by what its codec decodes to."""
    model = _reference(directory)
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for row in artifact.manifest.plan.assignments:
            dense = row.codec.decode(artifact.parts(row.tensor.name), row.tensor)
            parameters[row.tensor.name].copy_(dense)
    return model


def test_a_raw_artifact_gives_the_logits_of_transformers(artifacts: dict[str, Artifact], tiny_directory: Path) -> None:
    """Forbids any difference from `from_pretrained`: weights, rotary positions, attention implementation, mode."""
    assert torch.equal(_logits(load_model(artifacts["raw"])), _logits(_reference(tiny_directory)))


def test_a_coded_artifact_gives_the_logits_of_its_decoded_weights(
    artifacts: dict[str, Artifact], tiny_directory: Path
) -> None:
    """Forbids a wrong tensor, a transposed one or a lost one; decoding to float32 may keep more bits than bfloat16."""
    loaded, reference = load_model(artifacts["mixed"]), _decoded_reference(tiny_directory, artifacts["mixed"])
    torch.testing.assert_close(_logits(loaded), _logits(reference), rtol=0, atol=0.02)
    assert (_logits(loaded) - _logits(_reference(tiny_directory))).abs().max() > 0.2


def test_int8_runs_as_bitsandbytes_layers_on_the_stored_codes(artifacts: dict[str, Artifact]) -> None:
    """Forbids that int8 weights are quantised a second time, or computed dense."""
    from bitsandbytes.nn import Linear8bitLt

    artifact = artifacts["int8"]
    model = load_model(artifact)
    rows = [row.tensor.name for row in artifact.manifest.plan.assignments if isinstance(row.codec, Int8)]
    assert len(rows) == 27  # two decoder layers x 7, two audio layers x 6, the projector
    _logits(model)
    for name in rows:
        layer = model.get_submodule(name.removesuffix(".weight"))
        assert isinstance(layer, Linear8bitLt)
        assert torch.equal(layer.state.CB, artifact.parts(name)[""])
        assert torch.equal(layer.state.SCB, artifact.parts(name)[".SCB"])


def test_int8_logits_are_close_to_those_of_decoded_weights(
    artifacts: dict[str, Artifact], tiny_directory: Path
) -> None:
    """Forbids lost biases or scales: only the 8-bit rounding of inputs separates the two."""
    expected = _logits(_decoded_reference(tiny_directory, artifacts["int8"]))
    difference = (_logits(load_model(artifacts["int8"])) - expected).abs().max()
    assert 0 < difference < 0.2 * expected.std()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_dense_tensor_has_the_requested_type(artifacts: dict[str, Artifact], dtype: str) -> None:
    """Forbids mixed precision where one type was requested, and tensors without data."""
    model = load_model(artifacts["mixed"], dtype=dtype)
    assert {str(p.dtype) for p in model.parameters()} == {f"torch.{dtype}"}
    assert not any(t.is_meta for t in (*model.parameters(), *model.buffers()))
    assert not model.training
    assert model.dtype == getattr(torch, dtype)


def test_computed_buffers_are_those_of_transformers(artifacts: dict[str, Artifact], tiny_directory: Path) -> None:
    """Forbids rotary frequencies left empty, zero or in 16 bit."""
    loaded = dict(load_model(artifacts["raw"], dtype="bfloat16").named_buffers())
    reference = dict(_reference(tiny_directory).named_buffers())
    assert loaded.keys() == reference.keys()
    assert all(torch.equal(loaded[name], reference[name]) for name in reference)


def test_a_tensor_without_data_is_a_bug(artifacts: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a tensor without data is found only by an error, or none, at run time."""
    monkeypatch.setattr(module, "_fill_buffers", lambda *_: None)
    with pytest.raises(RuntimeError, match="inv_freq"):
        load_model(artifacts["raw"])


def test_a_tied_head_runs_on_the_embedding(tmp_path: Path) -> None:
    """Forbids a tied model with an empty head, or with a second copy of the embedding."""
    directory = write_tiny_model(tmp_path / "tied", TinyModel(tied=True, layers=1, audio_layers=1))
    checkpoint = open_checkpoint(directory)
    artifact = build(checkpoint, plan_for(checkpoint, "raw"), "untuned", open_workdir(str(tmp_path / "work")))
    model = load_model(artifact)
    assert model.language_model.lm_head.weight is model.language_model.model.embed_tokens.weight
    assert torch.equal(_logits(model), _logits(_reference(directory)))


def test_generation_settings_are_the_checkpoint_s(artifacts: dict[str, Artifact], tiny_directory: Path) -> None:
    """Forbids that the model stops at other tokens than the checkpoint says."""
    reference = _reference(tiny_directory).generation_config
    found = load_model(artifacts["raw"]).generation_config
    assert (found.eos_token_id, found.pad_token_id) == (258, 256)
    assert found.to_dict() == reference.to_dict()


def test_processor_is_the_checkpoint_s(artifacts: dict[str, Artifact], tiny_directory: Path) -> None:
    """Forbids that tokens, audio features or the chat template change on the way through an artifact."""
    from transformers import AutoProcessor

    inputs = {
        "text": ["<|audio_bos|><|AUDIO|><|audio_eos|>Translate: \n"],
        "audio": [torch.linspace(-1, 1, 16000).numpy()],
        "sampling_rate": 16000,
        "return_tensors": "pt",
    }
    ours, reference = load_processor(artifacts["raw"]), AutoProcessor.from_pretrained(tiny_directory)
    found, expected = ours(**inputs), reference(**inputs)
    assert found.keys() == expected.keys() >= {"input_ids", "input_features"}
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert ours.chat_template == reference.chat_template


def test_code_that_a_config_names_is_not_run(tiny_directory: Path, tmp_path: Path) -> None:
    """Forbids that a checkpoint brings its own Python code."""
    copy = shutil.copytree(tiny_directory, tmp_path / "copy")
    entries = {"config.json": {"AutoConfig": "evil.C"}, "tokenizer_config.json": {"AutoTokenizer": ["evil.T", None]}}
    for file, entry in entries.items():
        value = json.loads((copy / file).read_text())
        (copy / file).write_text(json.dumps({**value, "auto_map": entry}))
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'hacked')!r}, 'w')\nclass C: pass\nclass T: pass\n")
    checkpoint = open_checkpoint(copy)
    artifact = build(checkpoint, plan_for(checkpoint, "raw"), "untuned", open_workdir(str(tmp_path / "work")))
    load_model(artifact)
    load_processor(artifact)
    assert not (artifact.path / "evil.py").exists()
    assert not (tmp_path / "hacked").exists()


def test_devices_compute_in_their_own_type() -> None:
    """Forbids 16-bit arithmetic on the CPU, where it is slow, and float32 on an accelerator, where 7B would not fit."""
    assert (default_dtype("cpu"), default_dtype("cuda"), default_dtype("cuda:1")) == ("float32", "bfloat16", "bfloat16")
