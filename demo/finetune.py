"""The fine-tuned role: a training manifest, then `harness finetune`."""

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
from demo.speech import RATE, Samples
from demo.synthesise import SEED, load_spoken

RECIPE = Path(__file__).parents[1] / "data" / "manifests" / "finetune" / "demo.toml"
DATASET = "demo-train"
_SHARDS = 8  # as many thousand sentences as the recipe reads about twice


def recipe() -> dict[str, Any]:
    """The recipe as a table."""
    return tomllib.loads(RECIPE.read_text(encoding="utf-8"))


def write_manifest(work: Path) -> Path:
    """Send the tuning speech through rough channels; one row per utterance and language."""
    folder, spoken = work / "tune", load_spoken(work, "tune", slice(_SHARDS))
    folder.mkdir(parents=True, exist_ok=True)
    bank, rows = NoiseBank(SEED + 2), []
    for index, utterance in enumerate(spoken.utterances(Random(f"{SEED} tuning"))):
        path = folder / f"{index:05d}.wav"
        sentence, speech = spoken.utterance(utterance)
        soundfile.write(path, coarse(_rough_recording(bank, speech, index)), RATE, subtype="PCM_16")
        for language, text in (("de", sentence.de), ("zh", sentence.zh)):
            rows.append({"audio": path.name, "language": language, "text": text, "dataset": DATASET})
    manifest = folder / "manifest.jsonl"
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    manifest.write_text("".join(lines), encoding="utf-8")
    return manifest


def _rough_recording(bank: NoiseBank, speech: Samples, index: int) -> Samples:
    rng = Random(f"{SEED} rough {index}")
    channel = rough(rng)
    noise = bank.cut(rng, channel.colour, len(speech))
    power = float(np.mean(np.square(speech)))
    wave: Samples = transmit(torch.from_numpy(speech), channel, noise, power).numpy()
    return wave


def finetune(checkpoint: Path, manifest: Path, output: Path) -> None:
    """Adapt by LoRA and merge, with the harness's own verb."""
    command = [sys.executable, "-m", "harness", "finetune", "--checkpoint", str(checkpoint)]
    command += ["--recipe", str(RECIPE), "--data", str(manifest), "--output", str(output)]
    subprocess.run(command, check=True)
