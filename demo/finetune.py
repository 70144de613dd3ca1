"""The last polish of the fine-tuned role: a training manifest, then `harness finetune`."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import soundfile
import torch

from demo.channel import NoiseBank, rough, transmit
from demo.corpus import coarse
from demo.speech import RATE
from demo.synthesise import SEED, load_spoken

RECIPE = Path(__file__).parent / "finetune.toml"
DATASET = "demo-train"
_SHARDS = 4  # enough for the few steps that the recipe takes


def recipe() -> dict[str, Any]:
    """The recipe as a table."""
    return tomllib.loads(RECIPE.read_text(encoding="utf-8"))


def write_manifest(work: Path) -> Path:
    """Send the tuning speech through rough channels; one row per sentence and language."""
    folder, spoken = work / "tune", load_spoken(work, "tune", slice(_SHARDS))
    folder.mkdir(parents=True, exist_ok=True)
    bank, rows = NoiseBank(SEED + 2), []
    for index, sentence in enumerate(spoken.sentences):
        rng, speech = Random(f"{SEED} rough {index}"), spoken.samples(index)
        channel = rough(rng)
        noise = bank.cut(rng, channel.colour, len(speech))
        power = float(np.mean(np.square(speech)))
        wave = transmit(torch.from_numpy(speech), channel, noise, power)
        path = folder / f"{index:05d}.wav"
        soundfile.write(path, coarse(wave.numpy()), RATE, subtype="PCM_16")
        for language, text in (("de", sentence.de), ("zh", sentence.zh)):
            rows.append({"audio": path.name, "language": language, "text": text, "dataset": DATASET})
    manifest = folder / "manifest.jsonl"
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    manifest.write_text("".join(lines), encoding="utf-8")
    return manifest


def finetune(checkpoint: Path, manifest: Path, output: Path) -> None:
    """Adapt by LoRA and merge, with the harness's own verb."""
    command = [sys.executable, "-m", "harness", "finetune", "--checkpoint", str(checkpoint)]
    command += ["--recipe", str(RECIPE), "--data", str(manifest), "--output", str(output)]
    subprocess.run(command, check=True)
