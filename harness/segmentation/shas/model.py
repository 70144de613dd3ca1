"""The SHAS model: the first layers of a wav2vec 2.0 encoder, and a classifier of each frame as speech or not.

Source: Tsiamas et al., Interspeech 2022, section 3.2; names and sizes of the weights follow the published checkpoints
(github.com/mt-upc/SHAS, src/supervised_hybrid/models.py). Sizes come from the encoder's config and from the weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn
    from transformers import Wav2Vec2Config, Wav2Vec2Model

HEADS = 8
"""Attention heads of the classifier: fixed in the published code, and not recoverable from the weights."""
_SHORTEST = 1600
"""Shortest batch in samples; shorter ones are padded, since the encoder's convolutions need 400 for a first frame."""


def frame_head(hidden: int, layers: int, feed_forward: int) -> "nn.ModuleDict":
    """Return a frame classifier with random weights: transformer layers (if any), a norm and one output per frame.

    `hidden` is the width of the encoder's states, `feed_forward` that inside the transformer layers.
    """
    from torch import nn

    parts: dict[str, nn.Module] = {}
    if layers:
        layer = nn.TransformerEncoderLayer(
            hidden, HEADS, feed_forward, activation="gelu", batch_first=True, norm_first=True
        )
        parts["transformer"] = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    parts["dropout"] = nn.Dropout(0.1)
    parts["layer_norm"] = nn.LayerNorm(hidden)
    parts["classification_layer"] = nn.Linear(hidden, 1)
    return nn.ModuleDict(parts)


def frame_logits(head: "nn.ModuleDict", states: "Tensor", mask: "Tensor") -> "Tensor":
    """Return logits of shape (windows, frames) for the encoder's output of shape (windows, frames, hidden).

    The mask of shape (windows, frames) is True on frames and False on padding.
    """
    states = head["dropout"](states)
    if "transformer" in head:
        states = head["transformer"](states, src_key_padding_mask=~mask)
    return head["classification_layer"](head["layer_norm"](states)).squeeze(-1)  # type: ignore[no-any-return]


def truncated_encoder(config: "Wav2Vec2Config", layers: int) -> "Wav2Vec2Model":
    """Return an encoder with random weights that ends after its first layers, without the final layer norm."""
    from torch import nn
    from transformers import Wav2Vec2Model

    config.num_hidden_layers = layers
    encoder = Wav2Vec2Model(config)
    encoder.encoder.layer_norm = nn.Identity()
    return encoder.eval()


@dataclass(frozen=True)
class ShasModel:
    """Encoder and frame classifier, both in evaluation mode, on a device."""

    encoder: "Wav2Vec2Model"
    head: "nn.ModuleDict"
    device: str

    def classify(self, windows: Sequence["NDArray[np.float32]"], counts: Sequence[int]) -> list["NDArray[np.float32]"]:
        """Return the probabilities of speech in a batch of windows.

        Args:
            windows: samples at 16 kHz, float32.
            counts: number of frames of each window.

        Returns:
            Per window its frames' probabilities, from its first frame on; one or so fewer than asked for where the
            encoder gives fewer frames. A silent window has probability 0.
        """
        import numpy as np
        import torch

        audible = [is_audible(window) for window in windows]
        if not any(audible):
            return [np.zeros(count, np.float32) for count in counts]
        with torch.inference_mode():
            probabilities, lost = self._classify(windows, counts, torch.tensor(audible))
        rows = zip(probabilities.cpu().numpy(), counts, audible, strict=True)
        return [row[: count - lost] if loud else np.zeros(count - lost, np.float32) for row, count, loud in rows]

    def _classify(
        self, windows: Sequence["NDArray[np.float32]"], counts: Sequence[int], audible: "Tensor"
    ) -> tuple["Tensor", int]:
        audio, in_mask = padded(windows)
        audio[audible] = normalised(audio[audible])
        states = self.encoder(audio.to(self.device), attention_mask=in_mask.to(self.device)).last_hidden_state
        out_mask = frame_mask(counts)
        frames = min(states.shape[1], out_mask.shape[1])
        logits = frame_logits(self.head, states[:, :frames], out_mask[:, :frames].to(self.device))
        return logits.sigmoid(), out_mask.shape[1] - frames


def is_audible(window: "NDArray[np.float32]") -> bool:
    """Whether a window is not silent: its sum is not 0, as in the published code, and it is not one constant value."""
    import torch

    return bool(torch.from_numpy(window).sum() != 0) and float(window.min()) != float(window.max())


def padded(windows: Sequence["NDArray[np.float32]"]) -> tuple["Tensor", "Tensor"]:
    """Return the windows padded with zeros to the longest, and a mask that is 1 on their samples, both (windows, n)."""
    import torch

    longest = max(_SHORTEST, *map(len, windows))
    audio = torch.zeros(len(windows), longest)
    mask = torch.zeros(len(windows), longest, dtype=torch.long)
    for row, window in enumerate(windows):
        audio[row, : len(window)] = torch.from_numpy(window)
        mask[row, : len(window)] = 1
    return audio, mask


def normalised(audio: "Tensor") -> "Tensor":
    """Return rows with mean 0 and variance 1; the padding counts too, as in the published code."""
    return (audio - audio.mean(dim=1, keepdim=True)) / audio.std(dim=1, keepdim=True)


def frame_mask(counts: Sequence[int]) -> "Tensor":
    """Return a mask (windows, most frames) that is True on each window's frames; every window has at least one."""
    import torch

    return torch.arange(max(counts)).unsqueeze(0) < torch.tensor(counts).unsqueeze(1)
