"""The SHAS model: a wav2vec 2.0 encoder cut short, and a classifier that says of each frame whether it is speech.

Source: Tsiamas et al., Interspeech 2022, section 3.2; names and sizes of the weights follow the published checkpoints
(github.com/mt-upc/SHAS, src/supervised_hybrid/models.py). Sizes come from the encoder's config and from the weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

HEADS = 8
"""Attention heads of the classifier; published as fixed, and not to be read off the weights."""
_DROPOUT = 0.1
_SHORTEST = 1600
"""Samples that a batch is padded to at least: the encoder's convolutions need 400 for a first frame."""


class ShasHead(nn.Module):
    """The head: transformer layers (none to several), a norm and one output per frame."""

    def __init__(self, hidden: int, layers: int, feed_forward: int) -> None:
        super().__init__()
        if layers:
            layer = nn.TransformerEncoderLayer(
                hidden, HEADS, feed_forward, activation="gelu", batch_first=True, norm_first=True
            )
            self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.dropout = nn.Dropout(_DROPOUT)
        self.layer_norm = nn.LayerNorm(hidden)
        self.classification_layer = nn.Linear(hidden, 1)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return logits of shape (windows, frames) for states (windows, frames, hidden); the mask is True on frames."""
        states = self.dropout(states)
        if hasattr(self, "transformer"):
            states = self.transformer(states, src_key_padding_mask=~mask)
        logits: Tensor = self.classification_layer(self.layer_norm(states)).squeeze(-1)
        return logits


def cut_encoder(config: Wav2Vec2Config, layers: int) -> Wav2Vec2Model:
    """Return an encoder without weights yet that ends after its first layers, without the norm behind the last one."""
    config.num_hidden_layers = layers
    encoder = Wav2Vec2Model(config)
    encoder.encoder.layer_norm = nn.Identity()
    return encoder.eval()


@dataclass(frozen=True)
class ShasModel:
    """Encoder and head, both in evaluation mode, on a device."""

    encoder: Wav2Vec2Model
    head: ShasHead
    device: str

    def classify(self, windows: Sequence[NDArray[np.float32]], counts: Sequence[int]) -> list[NDArray[np.float32]]:
        """Return the probabilities of speech in a batch of windows.

        Args:
            windows: samples at 16 kHz, float32.
            counts: frames that each window answers for.

        Returns:
            Per window its frames' probabilities, from its first frame on; one or so fewer than asked for where the
            encoder gives fewer frames. A window in which nothing sounds has probability 0.
        """
        sounding = [sounds(window) for window in windows]
        if not any(sounding):
            return [np.zeros(count, np.float32) for count in counts]
        with torch.inference_mode():
            probabilities, lost = self._classify(windows, counts, torch.tensor(sounding))
        heard = probabilities.cpu().numpy()
        rows = zip(heard, counts, sounding, strict=True)
        return [row[: count - lost] if sound else np.zeros(count - lost, np.float32) for row, count, sound in rows]

    def _classify(
        self, windows: Sequence[NDArray[np.float32]], counts: Sequence[int], sounding: Tensor
    ) -> tuple[Tensor, int]:
        audio, in_mask = padded(windows)
        audio[sounding] = normalised(audio[sounding])
        states = self.encoder(audio.to(self.device), attention_mask=in_mask.to(self.device)).last_hidden_state
        out_mask = frame_mask(counts)
        frames = min(states.shape[1], out_mask.shape[1])
        logits = self.head(states[:, :frames], out_mask[:, :frames].to(self.device))
        return torch.sigmoid(logits), out_mask.shape[1] - frames


def sounds(window: NDArray[np.float32]) -> bool:
    """Whether samples differ from silence: published as a sum that is not 0; one constant value is silence too."""
    return bool(torch.from_numpy(window).sum() != 0) and float(window.min()) != float(window.max())


def padded(windows: Sequence[NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """Return the windows padded with zeros to the longest, and a mask that is 1 on their samples, both (windows, n)."""
    longest = max(_SHORTEST, *(len(window) for window in windows))
    audio = torch.zeros(len(windows), longest)
    mask = torch.zeros(len(windows), longest, dtype=torch.long)
    for row, window in enumerate(windows):
        audio[row, : len(window)] = torch.from_numpy(window)
        mask[row, : len(window)] = 1
    return audio, mask


def normalised(audio: Tensor) -> Tensor:
    """Return rows with mean 0 and variance 1; as published, after padding: the zeros take part."""
    return (audio - audio.mean(dim=1, keepdim=True)) / audio.std(dim=1, keepdim=True)


def frame_mask(counts: Sequence[int]) -> Tensor:
    """Return a mask (windows, most frames) that is True on each window's frames; every window has one at least."""
    return torch.arange(max(counts)).unsqueeze(0) < torch.tensor(counts).unsqueeze(1)
