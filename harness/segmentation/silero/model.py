"""The network of silero-vad at 16 kHz: magnitudes of a short Fourier transform, four convolutions, one LSTM."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    State = tuple[Tensor, Tensor]

CONTEXT = 64
"""Samples before each frame that are part of the network's input."""
_WIDTH = 128
_BINS = 129
_FRAME = 512

_PARTS = {"stft_conv.weight": "stft.forward_basis_buffer"}
_PARTS |= {f"conv{i + 1}.{kind}": f"encoder.{i}.reparam_conv.{kind}" for i in range(4) for kind in ("weight", "bias")}
_PARTS |= {f"lstm.{kind}_l0": f"decoder.rnn.{kind}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
_PARTS |= {f"final_conv.{kind}": f"decoder.decoder.2.{kind}" for kind in ("weight", "bias")}
_NAMES = {ours: f"_model.{theirs}" for ours, theirs in _PARTS.items()}
"""Our names of the weights -> the package's."""


@dataclass(frozen=True)
class SileroModel:
    """Classifies frames of 512 samples, each with the 64 samples before it."""

    parts: "nn.ModuleDict"

    def classify(self, samples: "Tensor", state: "State | None") -> tuple["Tensor", "State"]:
        """Classify a block of frames.

        Args:
            samples: shape (64 + frames * 512,): the samples before the block (zeros at the start), then the block.
            state: the LSTM's state after the previous block; None at the start.

        Returns:
            Probabilities of speech, shape (frames,), and the LSTM's state.
        """
        import torch
        from torch.nn import functional

        with torch.inference_mode():
            frames = samples.unfold(0, CONTEXT + _FRAME, _FRAME)
            spectrum = self.parts["stft_conv"](functional.pad(frames, (0, CONTEXT), mode="reflect").unsqueeze(1))
            found = torch.sqrt(spectrum[:, :_BINS] ** 2 + spectrum[:, _BINS:] ** 2)
            for number in range(1, 5):
                found = functional.relu(self.parts[f"conv{number}"](found))
            states, last = self.parts["lstm"](found.transpose(1, 2), state)
            outputs = self.parts["final_conv"](functional.relu(states).transpose(1, 2))
            return torch.sigmoid(outputs).reshape(-1), last


def load_silero(path: Path) -> SileroModel:
    """Load the weights at 16 kHz from the package's default model, which is a TorchScript file.

    Raises:
        UserError: the installed version has another network.
    """
    import torch

    shipped = torch.jit.load(path, map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    parts = _parts()
    try:
        parts.load_state_dict({ours: shipped[theirs] for ours, theirs in _NAMES.items() if theirs in shipped})
    except RuntimeError as error:
        raise UserError("The installed silero-vad has another network: install version 6.2.") from error
    return SileroModel(parts.eval())


def _parts() -> "nn.ModuleDict":
    from torch import nn

    return nn.ModuleDict(
        {
            "stft_conv": nn.Conv1d(1, 2 * _BINS, 256, stride=128, bias=False),
            "conv1": nn.Conv1d(_BINS, _WIDTH, 3, padding=1),
            "conv2": nn.Conv1d(_WIDTH, 64, 3, stride=2, padding=1),
            "conv3": nn.Conv1d(64, 64, 3, stride=2, padding=1),
            "conv4": nn.Conv1d(64, _WIDTH, 3, padding=1),
            "lstm": nn.LSTM(_WIDTH, _WIDTH),
            "final_conv": nn.Conv1d(_WIDTH, 1, 1),
        }
    )
