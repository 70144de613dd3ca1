"""A tiny random SHAS checkpoint in the published layout, and the encoder that it belongs to."""

import argparse
from pathlib import Path

from harness.config.segmentation import Segmenting, ShasSettings

HIDDEN = 16
ENCODER_LAYERS = 3
KEPT = 2
FEED_FORWARD = 24


def write_encoder(folder: Path) -> Path:
    """Write an encoder as transformers itself saves it; one layer more than the checkpoint keeps."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(5)
    config = Wav2Vec2Config(
        hidden_size=HIDDEN,
        num_hidden_layers=ENCODER_LAYERS,
        num_attention_heads=2,
        intermediate_size=20,
        conv_dim=(8,) * 7,
        conv_bias=True,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        vocab_size=8,
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    return folder


def write_checkpoint(path: Path, layers: int = 1) -> Path:
    """Write a frame classifier whose parts come from torch alone, under the published names."""
    import torch
    from torch import nn

    torch.manual_seed(6)
    weights = {
        **_named("layer_norm", nn.LayerNorm(HIDDEN)),
        **_named("classification_layer", nn.Linear(HIDDEN, 1)),
    }
    for number in range(layers):
        layer = nn.TransformerEncoderLayer(HIDDEN, 8, FEED_FORWARD)
        weights |= _named(f"transformer.layers.{number}", layer)
    args = argparse.Namespace(
        model_name="tiny", wav2vec_keep_layers=KEPT, classifier_n_transformer_layers=layers, learning_rate=2.5e-4
    )
    torch.save({"state_dict": weights, "args": args}, path)
    return path


def _named(prefix: str, module: object) -> dict[str, object]:
    from torch import nn

    assert isinstance(module, nn.Module)
    return {f"{prefix}.{name}": weight for name, weight in module.state_dict().items()}


def tiny_settings(folder: Path, method: str = "shas", max_seconds: float = 1.0) -> Segmenting:
    """Write encoder and checkpoint into `folder`; return settings that name them."""
    encoder, checkpoint = write_encoder(folder / "encoder"), write_checkpoint(folder / "model.pt")
    shas = ShasSettings(checkpoint=str(checkpoint), encoder=str(encoder), listen_seconds=2.0)
    return Segmenting(default=method, window=2.0, max_seconds=max_seconds, shas=shas)
