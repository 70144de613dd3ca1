"""A tiny Qwen2-Audio with random weights, written as a checkpoint directory with tokenizer and processor.

The directory loads with `AutoProcessor.from_pretrained` and `Qwen2AudioForConditionalGeneration.from_pretrained`.
Nothing in it was trained: its translations are noise, but every shape relation of the 7B model holds.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
VOCABULARY = 320
"""Rows of embedding and head: 256 bytes, the special tokens, and rows that no token uses, as in the 7B model."""
CHAT_TEMPLATE = (
    "{% set audio = namespace(value=0) %}{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}"
    "{% if 'audio' in content or 'audio_url' in content or content['type'] == 'audio' %}"
    "{% set audio.value = audio.value + 1 %}"
    "Audio {{ audio.value }}: <|audio_bos|><|AUDIO|><|audio_eos|>\n"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class TinyModel:
    """Sizes of a tiny model.

    Attributes:
        layers: decoder layers of the language model.
        audio_layers: layers of the audio tower.
        hidden: width of the language model; a multiple of 64.
        chunk_seconds: the model's audio window in seconds.
        dtype: torch's name of the stored type.
        tied: whether embedding and LM head are one tensor.
        shard_bytes: largest size of one weight file; several files and an index when the model is larger.
        datasets: written to training.json; none: no such file.
        seed: of the random weights.
    """

    layers: int = 2
    audio_layers: int = 2
    hidden: int = 64
    chunk_seconds: int = 2
    dtype: str = "bfloat16"
    tied: bool = False
    shard_bytes: int = 1 << 30
    datasets: tuple[str, ...] = ("tiny-set",)
    seed: int = 0


def write_tiny_model(directory: Path, tiny: TinyModel | None = None) -> Path:
    """Write a random checkpoint with tokenizer and processor into `directory`, and return the directory."""
    tiny = tiny or TinyModel()
    directory.mkdir(parents=True, exist_ok=True)
    _processor(tiny, directory).save_pretrained(directory)
    _model(tiny).save_pretrained(directory, max_shard_size=tiny.shard_bytes)
    if tiny.datasets:
        training = {"format_version": 1, "role": "untuned", "datasets": list(tiny.datasets), "parent": None}
        (directory / "training.json").write_text(json.dumps(training))
    return directory


def tiny_config(tiny: TinyModel) -> Any:
    """Return the `Qwen2AudioConfig` of these sizes."""
    from transformers import Qwen2AudioConfig

    text = {
        "model_type": "qwen2",
        "vocab_size": VOCABULARY,
        "hidden_size": tiny.hidden,
        "intermediate_size": 2 * tiny.hidden,
        "num_hidden_layers": tiny.layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-5,
        "bos_token_id": 256,
        "eos_token_id": 258,
        "tie_word_embeddings": tiny.tied,
    }
    audio = {
        "model_type": "qwen2_audio_encoder",
        "num_mel_bins": 16,
        "d_model": 64,
        "encoder_layers": tiny.audio_layers,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 128,
        "max_source_positions": 50 * tiny.chunk_seconds,
    }
    return Qwen2AudioConfig(text_config=text, audio_config=audio, audio_token_index=259, dtype=tiny.dtype)


def _model(tiny: TinyModel) -> Any:
    import torch
    from transformers import GenerationConfig, Qwen2AudioForConditionalGeneration

    with torch.random.fork_rng():
        torch.manual_seed(tiny.seed)
        model = Qwen2AudioForConditionalGeneration(tiny_config(tiny))
        for name, parameter in model.named_parameters():
            # Biases start at zero and norms at one, so most of them would be equal; trained ones never are.
            if parameter.dim() == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
            elif "embed_positions" not in name:
                parameter.data *= 3
    model.generation_config = GenerationConfig(bos_token_id=256, eos_token_id=258, pad_token_id=256)
    return model.to(getattr(torch, tiny.dtype))


def _processor(tiny: TinyModel, directory: Path) -> Any:
    from transformers import Qwen2AudioProcessor, WhisperFeatureExtractor

    features = WhisperFeatureExtractor(feature_size=16, chunk_length=tiny.chunk_seconds, return_attention_mask=True)
    return Qwen2AudioProcessor(features, _tokenizer(directory), chat_template=CHAT_TEMPLATE)


def _tokenizer(directory: Path) -> Any:
    """Return a byte-level tokenizer without merges: every byte of UTF-8 is a token."""
    from transformers import Qwen2TokenizerFast
    from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

    letters = sorted(bytes_to_unicode().values())
    vocabulary = {token: index for index, token in enumerate([*letters, *SPECIALS])}
    (directory / "vocab.json").write_text(json.dumps(vocabulary))
    (directory / "merges.txt").write_text("#version: 0.2\n")
    special = {"eos_token": SPECIALS[2], "pad_token": SPECIALS[0], "additional_special_tokens": list(SPECIALS)}
    files = {"vocab_file": str(directory / "vocab.json"), "merges_file": str(directory / "merges.txt")}
    return Qwen2TokenizerFast(**files, **special, padding_side="left")
