"""The SHAS model against transformers and torch themselves, and files that are not what they should be."""

import argparse
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from harness.core.errors import UserError
from harness.segmentation.shas.checkpoint import load_shas, read_classifier
from harness.segmentation.shas.windows import fill_gaps, windows
from tests.helpers.tiny_shas import FEED_FORWARD, HIDDEN, KEPT, write_checkpoint, write_encoder

RATE = 16_000


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a checkpoint and its encoder."""
    folder = tmp_path_factory.mktemp("shas")
    write_encoder(folder / "encoder")
    write_checkpoint(folder / "model.pt")
    return folder


def noise(seconds: float, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0.01, 0.1, round(seconds * RATE)).astype(np.float32)


def reference(folder: Path, audio: list[NDArray[np.float32]], counts: list[int]) -> list[NDArray[np.float32]]:
    """Compute what the paper describes from whole transformers and torch modules: hidden states after layer KEPT."""
    from transformers import Wav2Vec2Model

    longest = max(map(len, audio))
    batch = torch.stack([torch.nn.functional.pad(torch.from_numpy(one), (0, longest - len(one))) for one in audio])
    batch = (batch - batch.mean(1, keepdim=True)) / batch.std(1, keepdim=True)
    mask = torch.stack([(torch.arange(longest) < len(one)).long() for one in audio])
    encoder = Wav2Vec2Model.from_pretrained(folder / "encoder").eval()
    weights = torch.load(folder / "model.pt", weights_only=False)["state_dict"]
    layer = torch.nn.TransformerEncoderLayer(
        HIDDEN, 8, FEED_FORWARD, activation="gelu", batch_first=True, norm_first=True
    )
    prefix = "transformer.layers.0."
    layer.load_state_dict({n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)})
    with torch.no_grad():
        states = encoder(batch, attention_mask=mask, output_hidden_states=True).hidden_states[KEPT]
        frames = torch.arange(states.shape[1]) < torch.tensor(counts)[:, None]
        states = layer.eval()(states, src_key_padding_mask=~frames)
        states = torch.nn.functional.layer_norm(
            states, (HIDDEN,), weights["layer_norm.weight"], weights["layer_norm.bias"]
        )
        logits = states @ weights["classification_layer.weight"][0] + weights["classification_layer.bias"]
    rows = zip(torch.sigmoid(logits).numpy(), counts, strict=True)
    return [np.asarray(row[:count]) for row, count in rows]


def test_it_computes_what_the_parts_compute(tiny: Path) -> None:
    """Forbids another cut, norm, mask or normalisation than the published one; windows of different lengths at once."""
    audio, counts = [noise(2, 1), noise(1.25, 2)], [99, 62]
    found = load_shas(tiny / "model.pt", tiny / "encoder", "cpu").classify(audio, counts)
    for ours, theirs in zip(found, reference(tiny, audio, counts), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_silence_has_probability_zero(tiny: Path) -> None:
    """Forbids that a silent window is normalised by 0, among others or alone; a constant is silence too."""
    model = load_shas(tiny / "model.pt", tiny / "encoder", "cpu")
    silence, constant = np.zeros(2 * RATE, np.float32), np.full(2 * RATE, 0.25, np.float32)
    found = model.classify([silence, noise(2, 1), constant], [99, 99, 99])
    assert not found[0].any()
    assert not found[2].any()
    assert found[1].all()
    assert not model.classify([silence], [100])[0].any()


def test_a_recording_of_two_samples_is_classified(tiny: Path) -> None:
    """Forbids that a recording is too short for the encoder's convolutions."""
    found = load_shas(tiny / "model.pt", tiny / "encoder", "cpu").classify([np.array([0.1, 0.2], np.float32)], [1])
    assert found[0].shape == (1,)


def test_weights_of_pretraining_and_of_older_libraries_load(tiny: Path, tmp_path: Path) -> None:
    """Forbids that weights under older names stay random, and that a pickle of weights does not load."""
    from safetensors.torch import load_file

    new = load_file(tiny / "encoder" / "model.safetensors")
    short = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    old = {}
    for name, weight in new.items():
        for ending, former in short.items():
            name = name.removesuffix(ending) + former if name.endswith(ending) else name  # noqa: PLW2901
        old[f"wav2vec2.{name}"] = weight
    old["quantizer.codevectors"] = torch.zeros(3)
    (tmp_path / "config.json").write_bytes((tiny / "encoder" / "config.json").read_bytes())
    torch.save(old, tmp_path / "pytorch_model.bin")
    audio = [noise(1, 3)]
    ours = load_shas(tiny / "model.pt", tmp_path, "cpu").classify(audio, [49])[0]
    np.testing.assert_array_equal(ours, load_shas(tiny / "model.pt", tiny / "encoder", "cpu").classify(audio, [49])[0])


def test_windows_lie_as_published() -> None:
    """Forbids other borders than the published arithmetic gives by hand: 20 s are 999 frames."""
    seconds = 20 * RATE

    def borders(length: float, start: float = 0) -> list[tuple[float, float, int, int]]:
        found = windows(round(length * RATE), seconds, round(start * RATE))
        return [(one.start / RATE, one.stop / RATE, one.first, one.last) for one in found]

    assert borders(45) == [(0, 20, 0, 999), (20, 40, 999, 1998), (40, 45, 1998, 2248)]
    assert borders(45, start=10) == [(0, 10, 0, 500), (10, 30, 500, 1499), (30, 45, 1499, 2248)]
    assert borders(41.5) == [(0, 20, 0, 999), (20, 41.5, 999, 2073)]  # a rest under 2 s joins the window before
    assert borders(1.5) == [(0, 1.5, 0, 75)]
    assert borders(5, start=10) == [(0, 5, 0, 250)]


def test_gaps_take_the_mean_of_their_neighbours() -> None:
    """Forbids a frame without a number: two frames on each side count, those just filled among them."""
    track = np.array([np.nan, 0.2, 0.4, np.nan, np.nan])
    fill_gaps(track)
    np.testing.assert_allclose(track, [0.3, 0.2, 0.4, 0.3, 0.35])


class _Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def test_a_checkpoint_that_runs_code_is_refused(tmp_path: Path) -> None:
    """Forbids that anything from a checkpoint is executed."""
    mark = tmp_path / "mark"
    torch.save({"state_dict": {}, "args": _Bomb(f"touch {mark}")}, tmp_path / "model.pt")
    with pytest.raises(UserError, match="does not load as weights and arguments alone"):
        read_classifier(tmp_path / "model.pt")
    assert not mark.exists()


def test_a_checkpoint_with_another_class_is_refused(tmp_path: Path) -> None:
    """Forbids any class beside that of the arguments, however harmless."""
    value = {"state_dict": {}, "args": argparse.Namespace(), "more": subprocess.CompletedProcess([], 0)}
    torch.save(value, tmp_path / "model.pt")
    with pytest.raises(UserError, match="CompletedProcess was not an allowed global by default"):
        read_classifier(tmp_path / "model.pt")


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"state_dict": {}},
        {"state_dict": {"layer_norm.weight": torch.ones(4)}, "args": {"wav2vec_keep_layers": 15}},
        {"state_dict": {"layer_norm.weight": 1}, "args": argparse.Namespace()},
        {"state_dict": {"layer_norm.weight": torch.ones(4)}, "args": argparse.Namespace(wav2vec_keep_layers=15)},
        {
            "state_dict": {"layer_norm.weight": torch.ones(4)},
            "args": argparse.Namespace(wav2vec_keep_layers=10**9, classifier_n_transformer_layers=0),
        },
    ],
)
def test_a_checkpoint_of_another_layout_is_refused(value: object, tmp_path: Path) -> None:
    """Forbids that a missing part of the published layout is guessed."""
    torch.save(value, tmp_path / "model.pt")
    with pytest.raises(UserError, match="is not a SHAS checkpoint"):
        read_classifier(tmp_path / "model.pt")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 broken", b"\x80\x02garbage", b"<html>quota exceeded</html>"])
def test_a_file_that_is_no_checkpoint_is_refused(data: bytes, tmp_path: Path) -> None:
    """Forbids that a damaged download ends in a traceback."""
    (tmp_path / "model.pt").write_bytes(data)
    with pytest.raises(UserError, match="does not load"):
        read_classifier(tmp_path / "model.pt")


def test_head_and_encoder_that_do_not_belong_together_are_refused(tiny: Path, tmp_path: Path) -> None:
    """Forbids a head on an encoder of another width, and weights that do not match their arguments."""
    for hidden, sentence in (
        (HIDDEN, "do not match its arguments"),
        (HIDDEN * 2, "name the encoder that it was trained on"),
    ):
        weights = {"layer_norm.weight": torch.ones(hidden)}
        args = argparse.Namespace(wav2vec_keep_layers=1, classifier_n_transformer_layers=0)
        torch.save({"state_dict": weights, "args": args}, tmp_path / "model.pt")
        with pytest.raises(UserError, match=sentence):
            load_shas(tmp_path / "model.pt", tiny / "encoder", "cpu")


def test_an_encoder_with_missing_weights_is_refused(tiny: Path, tmp_path: Path) -> None:
    """Forbids that a missing weight stays random."""
    from safetensors.torch import load_file, save_file

    (tmp_path / "config.json").write_bytes((tiny / "encoder" / "config.json").read_bytes())
    with pytest.raises(UserError, match=r"model.safetensors or pytorch_model.bin"):
        load_shas(tiny / "model.pt", tmp_path, "cpu")
    weights = load_file(tiny / "encoder" / "model.safetensors")
    del weights["encoder.layers.1.attention.k_proj.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"lacks 1 weights, first encoder.layers.1.attention.k_proj.weight"):
        load_shas(tiny / "model.pt", tmp_path, "cpu")
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(UserError, match="cannot be read as weights"):
        load_shas(tiny / "model.pt", tmp_path, "cpu")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match=r"does not describe a wav2vec 2\.0 model"):
        load_shas(tiny / "model.pt", tmp_path, "cpu")
