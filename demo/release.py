"""Writes the committed files: checkpoints, the README, the sha256 checksums."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoProcessor,
    GenerationConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
)

from demo.model import IDS
from demo.tokens import save_processor

FORMAT_VERSION = 1
README = Path(__file__).parent / "corpus_readme.md"


def write_model(
    model: Qwen2AudioForConditionalGeneration,
    tokenizer: Path,
    folder: Path,
    training: dict[str, Any],
) -> None:
    """Save a model in bfloat16 under the canonical names, with the files of its processor.

    `training` has role, data sets and parent, and is written to training.json.
    """
    end = IDS["<|im_end|>"] if training["role"] == "instruct" else IDS["<|endoftext|>"]
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=end, pad_token_id=IDS["<|endoftext|>"], max_new_tokens=64
    )
    model.config.dtype = torch.bfloat16
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)
    (folder / "model.safetensors").chmod(0o644)
    save_processor(tokenizer, folder)
    write_json(folder / "training.json", {"format_version": FORMAT_VERSION, **training})


def load_model(folder: Path, attention: str = "sdpa") -> tuple[Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor]:
    """Return a stored model in float32, and its processor."""
    model = Qwen2AudioForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention
    )
    return model.eval(), AutoProcessor.from_pretrained(folder)


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys and a final newline."""
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def write_readme(out: Path) -> None:
    """Write the README of the data."""
    (out / "README.md").write_text(README.read_text(encoding="utf-8"), encoding="utf-8")


def write_sums(out: Path) -> None:
    """Write the sha256 of every other file, in the format of ``sha256sum -c``."""
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out).as_posix()}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
