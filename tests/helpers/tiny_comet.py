"""A tiny random COMET model in the published layout, with a tokenizer made by hand.

Made by a process of its own, `python -m tests.helpers.tiny_comet FOLDER`, since importing comet takes seconds and
warns about its own dependencies.
"""

import argparse
import subprocess
import sys
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyzäöüß.,?模型听一个报告我们测量大小谢。"


def write_tiny_comet(root: Path, seed: int = 7) -> Path:
    """Write a checkpoint, and beside it `unsafe`, the same with an object in its pickle; return its folder."""
    subprocess.run([sys.executable, "-m", __name__, str(root), str(seed)], check=True, capture_output=True)
    return root


def write_encoder(folder: Path) -> Path:
    """Write the configuration and tokenizer of an XLM-R of 2 layers, hidden size 32, one token per letter."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import XLMRobertaConfig, XLMRobertaTokenizerFast

    words = ["<s>", "<pad>", "</s>", "<unk>", "▁", *LETTERS, "<mask>"]
    tokenizer = Tokenizer(models.Unigram([(word, -float(i)) for i, word in enumerate(words)], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    XLMRobertaTokenizerFast(tokenizer_object=tokenizer, model_max_length=512).save_pretrained(folder)
    XLMRobertaConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=514,
        type_vocab_size=1,
    ).save_pretrained(folder)
    return folder


def _write(root: Path, seed: int) -> None:
    import torch
    from comet.models import RegressionMetric

    encoder = write_encoder(root / "encoder")
    torch.manual_seed(seed)
    model = RegressionMetric(
        pretrained_model=str(encoder), hidden_sizes=[16], load_pretrained_weights=False, local_files_only=True
    )
    settings = {**model.hparams, "pretrained_model": "./encoder", "class_identifier": "regression_metric"}
    saved = {
        "state_dict": model.state_dict(),
        "hyper_parameters": settings,
        "pytorch-lightning_version": "2.0.0",
    }
    _save(root, settings, saved)
    _save(root / "unsafe", settings | {"pretrained_model": "../encoder"}, saved | {"args": argparse.Namespace(lr=1)})


def _save(root: Path, settings: dict[str, object], saved: dict[str, object]) -> None:
    import torch
    import yaml

    (root / "checkpoints").mkdir(parents=True)
    (root / "hparams.yaml").write_text(yaml.safe_dump(settings))
    torch.save(saved | {"hyper_parameters": settings}, root / "checkpoints" / "model.ckpt")


if __name__ == "__main__":
    _write(Path(sys.argv[1]), int(sys.argv[2]))
