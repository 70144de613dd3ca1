"""The network of silero-vad at 16 kHz: magnitudes of a short Fourier transform, four convolutions, one LSTM."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.core.errors import UserError

_WIDTH = 128
_BINS = 129
_FRAME = 512
_STEP = 128

_PARTS = {"stft_conv.weight": "stft.forward_basis_buffer"}
_PARTS |= {f"conv{i + 1}.{kind}": f"encoder.{i}.reparam_conv.{kind}" for i in range(4) for kind in ("weight", "bias")}
_PARTS |= {f"lstm.{kind}_l0": f"decoder.rnn.{kind}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
_PARTS |= {f"final_conv.{kind}": f"decoder.decoder.2.{kind}" for kind in ("weight", "bias")}
_NAMES = {ours: f"_model.{theirs}" for ours, theirs in _PARTS.items()}
"""Our names of the weights -> the package's."""

State = tuple[Tensor, Tensor]


class SileroModel(nn.Module):
    """Hears frames of 512 samples, each with the 64 samples before it."""

    context = 64

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 2 * _BINS, 256, stride=_STEP, bias=False)
        self.conv1 = nn.Conv1d(_BINS, _WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(_WIDTH, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, _WIDTH, 3, padding=1)
        self.lstm = nn.LSTM(_WIDTH, _WIDTH)
        self.final_conv = nn.Conv1d(_WIDTH, 1, 1)

    @torch.inference_mode()
    def classify(self, samples: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Hear a block of frames.

        Args:
            samples: shape (64 + frames * 512,): the samples before the block, zeros at the start, and the block.
            state: the LSTM's after the block before; None at the start.

        Returns:
            Probabilities of shape (frames,), and the LSTM's state.
        """
        frames = samples.unfold(0, self.context + _FRAME, _FRAME)
        spectrum = self.stft_conv(functional.pad(frames, (0, self.context), mode="reflect").unsqueeze(1))
        found = torch.sqrt(spectrum[:, :_BINS] ** 2 + spectrum[:, _BINS:] ** 2)
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            found = functional.relu(layer(found))
        states, last = self.lstm(found.transpose(1, 2), state)
        outputs = self.final_conv(functional.relu(states).transpose(1, 2))
        return torch.sigmoid(outputs).reshape(-1), last


def load_silero(path: Path) -> SileroModel:
    """Load the package's default model (TorchScript, of which only the weights at 16 kHz are taken).

    Raises:
        UserError: the installed version has another network.
    """
    shipped = torch.jit.load(path, map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    weights = {ours: shipped[theirs] for ours, theirs in _NAMES.items() if theirs in shipped}
    model = SileroModel()
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError("The installed silero-vad has another network: install version 6.2.") from error
    return model.eval()
