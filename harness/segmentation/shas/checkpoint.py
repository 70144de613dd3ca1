"""Loading SHAS: the classifier from its published pickle, without executing anything in it, and the encoder's weights.

The classifier's file holds `{"state_dict", "args"}`, with the arguments of its training as an `argparse.Namespace`,
which is the only class that is accepted beside plain values and tensors.
"""

import argparse
import math
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import UserError
from harness.core.files import read_json
from harness.segmentation.shas.model import ShasModel, frame_head, truncated_encoder

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import Wav2Vec2Config, Wav2Vec2Model


CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names of an encoder's weights file; the first one that exists is read."""
_STRIDE = 320
"""Samples per frame, for which the frame rate of 49.95 holds."""


@dataclass(frozen=True)
class Classifier:
    """A frame classifier as its file holds it.

    Attributes:
        encoder_layers: the encoder's layers whose output it was trained on.
        layers: number of its own transformer layers.
    """

    weights: "dict[str, Tensor]"
    encoder_layers: int
    layers: int

    @property
    def hidden(self) -> int:
        """Width of the encoder states that it takes."""
        return int(self.weights["layer_norm.weight"].shape[0])

    @property
    def feed_forward(self) -> int:
        """Width inside its transformer layers; 1 where it has none."""
        return int(self.weights["transformer.layers.0.linear1.weight"].shape[0]) if self.layers else 1


def load_shas(checkpoint: Path, encoder: Path, device: str) -> ShasModel:
    """Load a published checkpoint and the encoder that it was trained on.

    Raises:
        UserError: a file is missing or does not read, the checkpoint holds more than weights and arguments, or the two
            do not belong together.
    """
    classifier = read_classifier(checkpoint)
    config = _read_config(encoder)
    if config.hidden_size != classifier.hidden or config.num_hidden_layers < classifier.encoder_layers:
        raise UserError(
            f"{checkpoint} needs {classifier.hidden} values of layer {classifier.encoder_layers}, but {encoder} has "
            f"{config.hidden_size} in {config.num_hidden_layers} layers: name the encoder that it was trained on."
        )
    model = truncated_encoder(config, classifier.encoder_layers)
    _fill(model, _bare(read_weights(encoder)), encoder)
    return ShasModel(model.to(device), _head(classifier, checkpoint).to(device), device)


def read_classifier(path: Path) -> Classifier:
    """Read a frame classifier.

    Raises:
        UserError: it is missing, has another layout than the published one, or holds more than weights and arguments.
    """
    import torch

    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            value = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"Cannot read the SHAS checkpoint {path}: {error.strerror or error}.") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        # What torch refuses, without its advice to load the file in an unsafe way.
        refused = re.search(r"WeightsUnpickler error: (.*?)(?: Please |\n|$)", str(error))
        reason = (refused.group(1) if refused else type(error).__name__).strip(" .")
        raise UserError(
            f"{path} does not load as weights and arguments alone ({reason}): use the published file; nothing else is "
            "ever executed."
        ) from error
    return _checked(path, value)


def _checked(path: Path, value: object) -> Classifier:
    import torch

    wrong = UserError(f"{path} is not a SHAS checkpoint with `state_dict` and `args`: use the published file.")
    if not isinstance(value, dict) or not isinstance(value.get("args"), argparse.Namespace):
        raise wrong
    weights, arguments = value.get("state_dict"), vars(value["args"])
    if not isinstance(weights, dict) or not all(isinstance(weight, torch.Tensor) for weight in weights.values()):
        raise wrong
    layers = [arguments.get(name) for name in ("wav2vec_keep_layers", "classifier_n_transformer_layers")]
    needed = ["layer_norm.weight", *(["transformer.layers.0.linear1.weight"] if layers[1] else [])]
    if not all(type(count) is int and 0 <= count <= 64 for count in layers) or any(n not in weights for n in needed):
        raise wrong
    return Classifier(weights, arguments["wav2vec_keep_layers"], arguments["classifier_n_transformer_layers"])


def _head(classifier: Classifier, path: Path) -> "nn.ModuleDict":
    try:
        head = frame_head(classifier.hidden, classifier.layers, classifier.feed_forward)
        head.load_state_dict(classifier.weights)
    except (RuntimeError, AssertionError) as error:
        wrong = f"The weights in {path} do not match its arguments ({' '.join(str(error).split())[:200]})"
        raise UserError(f"{wrong}: use the published file.") from error
    return head.eval()


def _read_config(directory: Path) -> "Wav2Vec2Config":
    from transformers import Wav2Vec2Config

    path = directory / CONFIG
    value = read_json(path)
    if not isinstance(value, dict) or value.get("model_type") != "wav2vec2":
        raise UserError(f"{path} does not describe a wav2vec 2.0 model: name the encoder's own directory.")
    try:
        config = Wav2Vec2Config.from_dict(value)
        stride = math.prod(config.conv_stride)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} does not read ({error}): restore it.") from error
    if stride != _STRIDE:
        raise UserError(f"{path} gives a frame every {stride} samples, but SHAS needs {_STRIDE}: name its encoder.")
    return config


def read_weights(directory: Path) -> "dict[str, Tensor]":
    """Read an encoder's weights.

    Raises:
        UserError: there is no weights file, or it does not read.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = weights_path(directory)
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        return dict(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
    except (SafetensorError, OSError, RuntimeError, pickle.UnpicklingError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{path} cannot be read as weights ({reason}): restore it.") from error


def weights_path(directory: Path) -> Path:
    """Return the path of an encoder's weights file.

    Raises:
        UserError: there is none.
    """
    for name in WEIGHTS:
        if (directory / name).is_file():
            return directory / name
    raise UserError(
        f"The encoder's weights are missing from {directory} ({' or '.join(WEIGHTS)}): put a copy of the wav2vec 2.0 "
        "model that the SHAS checkpoint names there, or set `encoder` in the task's [segmentation.shas]."
    )


def _bare(weights: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Return weights by the encoder's own names: pre-training adds a prefix, older torch names two parts otherwise."""
    old = {"conv.weight_g": "conv.parametrizations.weight.original0"}
    old |= {"conv.weight_v": "conv.parametrizations.weight.original1"}
    named = {}
    for name, weight in weights.items():
        short = name.removeprefix("wav2vec2.")
        for ending, current in old.items():
            short = short.removesuffix(ending) + current if short.endswith(ending) else short
        named[short] = weight
    return named


def _fill(model: "Wav2Vec2Model", weights: "dict[str, Tensor]", directory: Path) -> None:
    """Load the weights of the truncated encoder; others (later layers, heads) are left out."""
    own = model.state_dict()
    if missing := sorted(set(own) - set(weights) - {"masked_spec_embed"}):
        raise UserError(f"{weights_path(directory)} lacks {len(missing)} weights, first {missing[0]}: restore it.")
    if wrong := [name for name in own if name in weights and weights[name].shape != own[name].shape]:
        raise UserError(f"{weights_path(directory)} does not match its config.json at {wrong[0]}: restore both.")
    model.load_state_dict({name: weights.get(name, own[name]).float() for name in own})
