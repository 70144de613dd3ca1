"""Noise with made-up translations, and a recipe that trains a tiny model in a second."""

import json
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from harness.finetune.recipe import FinetuneRecipe, Lora, TrainingPrecision, TrainingSettings
from harness.models.tensor_spec import Component

TEXTS = ("Hallo Welt", "Ein Satz, der länger ist.", "你好", "Drei", "四", "Fünf sind genug")
ROWS = 2 * len(TEXTS)

RECIPE = FinetuneRecipe(
    name="toy",
    source="this test",
    role="finetuned",
    prompt="<|audio_bos|><|AUDIO|><|audio_eos|>Translate this speech to {target_lang}: \n",
    languages={"de": "German", "zh": "Chinese"},
    lora=Lora(rank=8, alpha=16, dropout=0.1, components=(Component.ATTENTION, Component.MLP)),
    training=TrainingSettings(
        batch_size=3,
        learning_rate=1e-2,
        warmup_ratio=0.1,
        precision=TrainingPrecision.FLOAT32,
        seed=7,
        save_every=5,
        max_steps=12,
    ),
)


def with_training(**changes: object) -> FinetuneRecipe:
    """Return the recipe with changed settings of the optimiser."""
    return msgspec.structs.replace(RECIPE, training=msgspec.structs.replace(RECIPE.training, **changes))


def with_lora(**changes: object) -> FinetuneRecipe:
    """Return the recipe with changed settings of the adapter."""
    return msgspec.structs.replace(RECIPE, lora=msgspec.structs.replace(RECIPE.lora, **changes))


def write_noise(path: Path, seconds: float, seed: int = 0, rate: int = 16_000) -> Path:
    """Write white noise as a 16-bit WAV file."""
    samples = np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)).clip(-1, 1)
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def write_manifest(folder: Path) -> Path:
    """Write `ROWS` rows: every noise in both languages, of 0.5 to 1.5 seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, text in enumerate(TEXTS):
        audio = write_noise(folder / f"{index}.wav", 0.5 + 0.2 * index, index).name
        rows += [{"audio": audio, "language": code, "text": text, "dataset": "toy-train"} for code in ("de", "zh")]
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return manifest
