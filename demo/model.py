"""The miniature: Qwen2-Audio's own classes, small, with a fast training pass."""

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
    """Attention in float32: on CPUs several times faster than in bfloat16."""
    with torch.autocast(query.device.type, enabled=False):
        out = nn.functional.scaled_dot_product_attention(
            query.float(), key.float(), value.float(), attn_mask=attention_mask, scale=scaling
        )
    return out.transpose(1, 2).to(query.dtype), None


ALL_ATTENTION_FUNCTIONS.register("sdpa_float", _float_attention)


def config() -> Qwen2AudioConfig:
    """Real configuration classes; the proportions of a 7B are not kept."""
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
    """Random weights; Whisper's sinusoids as positions of the tower."""
    torch.manual_seed(seed)
    model = Qwen2AudioForConditionalGeneration._from_config(  # noqa: SLF001 - the way to choose an attention
        config(), attn_implementation="sdpa_float"
    )
    model.config.pad_token_id = IDS["<|endoftext|>"]
    with torch.no_grad():
        model.audio_tower.embed_positions.weight.copy_(sinusoids(50 * SECONDS, TOWER))
    return model


def sinusoids(length: int, channels: int) -> Tensor:
    """Whisper's fixed position codes, (length, channels)."""
    step = math.log(10_000) / (channels // 2 - 1)
    angle = torch.arange(length)[:, None] * torch.exp(-step * torch.arange(channels // 2))
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class CtcHead(nn.Module):
    """Letters from the tower's frames; helps in pre-training, then is dropped."""

    LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 "

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(TOWER, len(self.LETTERS) + 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Log probabilities, (frames, batch, letters), blank first."""
        scores = self.linear(nn.functional.layer_norm(frames, frames.shape[-1:])).float()
        likely: Tensor = scores.log_softmax(-1).transpose(0, 1)
        return likely

    @classmethod
    def spell(cls, text: str) -> list[int]:
        """The letters of an English sentence, blank being 0."""
        return [cls.LETTERS.index(c) + 1 for c in text.lower() if c in cls.LETTERS]


def listen(model: Qwen2AudioForConditionalGeneration, features: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """The audio tower on a batch no longer than it must be.

    The model's own forward wants the full window. `features` is (batch, mel,
    2 * positions), `frames` the mel frames in use. Returns the frames at 50 Hz
    before pooling and the projected audio tokens at 25 Hz.
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
    """Who may look at whom, (batch, 1, length, length).

    Branch 0 is what all share; every other branch sees the shared part and its
    own past, so that one pass over the audio serves several prompts. Padding
    has branch -1 and sees itself only.
    """
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    query, key = branch[:, :, None], branch[:, None, :]
    seen = causal & ((key == query) | ((key == 0) & (query >= 0)))
    return additive(seen[:, None])


def additive(seen: Tensor) -> Tensor:
    """A float mask for attention: 0 where seen, very low elsewhere."""
    return torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, -1e4)
