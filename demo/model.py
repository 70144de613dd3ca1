"""The miniature: Qwen2-Audio's classes with small sizes, and a fast forward pass for training."""

import math

import torch
from torch import Tensor, nn
from transformers import (
    Qwen2AudioConfig,
    Qwen2AudioEncoderConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2Config,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from demo.tokens import SECONDS, SPECIALS, VOCABULARY

HIDDEN, LAYERS, INTERMEDIATE, HEADS = 128, 12, 192, 4
TOWER, TOWER_LAYERS, TOWER_HEADS = 144, 3, 4
IDS = {name: index for index, name in enumerate(SPECIALS)}


def _float_attention(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """Compute attention in float32, which on CPUs is several times faster than in bfloat16."""
    with torch.autocast(query.device.type, enabled=False):
        out = nn.functional.scaled_dot_product_attention(
            query.float(), key.float(), value.float(), attn_mask=attention_mask, scale=scaling
        )
    return out.transpose(1, 2).to(query.dtype), None


ALL_ATTENTION_FUNCTIONS.register("sdpa_float", _float_attention)


def config() -> Qwen2AudioConfig:
    """Return the configuration; proportions differ from those of the 7B model."""
    audio = Qwen2AudioEncoderConfig(
        num_mel_bins=128,
        d_model=TOWER,
        encoder_layers=TOWER_LAYERS,
        encoder_attention_heads=TOWER_HEADS,
        encoder_ffn_dim=4 * TOWER,
        max_source_positions=50 * SECONDS,
        initializer_range=0.05,
    )
    text = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=INTERMEDIATE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=512,
        rms_norm_eps=1e-5,
        rope_theta=10_000.0,
        initializer_range=0.05,
        tie_word_embeddings=False,
        bos_token_id=IDS["<|endoftext|>"],
        eos_token_id=IDS["<|endoftext|>"],
    )
    return Qwen2AudioConfig(audio, text, audio_token_index=IDS["<|AUDIO|>"])


def new_model(seed: int) -> Qwen2AudioForConditionalGeneration:
    """Return a model with random weights, and Whisper's sinusoids as positions of the audio encoder."""
    torch.manual_seed(seed)
    model = Qwen2AudioForConditionalGeneration._from_config(  # noqa: SLF001 - the way to choose an attention
        config(), attn_implementation="sdpa_float"
    )
    model.config.pad_token_id = IDS["<|endoftext|>"]
    with torch.no_grad():
        model.audio_tower.embed_positions.weight.copy_(sinusoids(50 * SECONDS, TOWER))
    return model


def sinusoids(length: int, channels: int) -> Tensor:
    """Return Whisper's fixed position embeddings, shape (length, channels)."""
    step = math.log(10_000) / (channels // 2 - 1)
    angle = torch.arange(length)[:, None] * torch.exp(-step * torch.arange(channels // 2))
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class CtcHead(nn.Module):
    """Predicts letters from the audio encoder's frames, in pre-training only."""

    LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 "

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(TOWER, len(self.LETTERS) + 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Return log probabilities, shape (frames, batch, letters), the blank first."""
        scores = self.linear(nn.functional.layer_norm(frames, frames.shape[-1:])).float()
        likely: Tensor = scores.log_softmax(-1).transpose(0, 1)
        return likely

    @classmethod
    def spell(cls, text: str) -> list[int]:
        """Return the letters of an English sentence as indices from 1; 0 is the blank."""
        return [cls.LETTERS.index(c) + 1 for c in text.lower() if c in cls.LETTERS]


def encode_audio(model: Qwen2AudioForConditionalGeneration, features: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Run the audio encoder on a batch that is shorter than the window, which the model's own forward does not allow.

    Args:
        model: the miniature.
        features: shape (batch, mel, 2 * positions).
        frames: number of mel frames of each row.

    Returns:
        the frames at 50 Hz before pooling, and the projected audio tokens at 25 Hz.
    """
    tower = model.audio_tower
    hidden = nn.functional.gelu(tower.conv1(features))
    hidden = nn.functional.gelu(tower.conv2(hidden)).permute(0, 2, 1)
    hidden = hidden + tower.embed_positions.weight[: hidden.shape[1]]
    used = (frames - 1) // 2 + 1
    mask = (torch.arange(hidden.shape[1], device=used.device) < used[:, None])[:, None, None, :]
    mask = additive(mask.expand(-1, 1, hidden.shape[1], -1))
    for layer in tower.layers:
        hidden = layer(hidden, mask, layer_head_mask=None)[0]
    pooled = tower.avg_pooler(hidden.permute(0, 2, 1)).permute(0, 2, 1)
    return hidden, model.multi_modal_projector(tower.layer_norm(pooled))


def branch_mask(branch: Tensor) -> Tensor:
    """Return the attention mask of packed sequences, shape (batch, 1, length, length).

    Branch 0 is the shared beginning; every other branch attends to it and to its own past, so that the audio is encoded
    once for several prompts. Padding has branch -1 and attends only to itself.
    """
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    query, key = branch[:, :, None], branch[:, None, :]
    seen = causal & ((key == query) | ((key == 0) & (query >= 0)))
    return additive(seen[:, None])


def additive(seen: Tensor) -> Tensor:
    """Return an additive attention mask: 0 where attended, a large negative value elsewhere."""
    return torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, -1e4)
