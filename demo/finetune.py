"""The checkpoint of the role `finetuned`: training manifests, then `harness finetune`."""

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
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

RECIPES = Path(__file__).parents[1] / "data" / "manifests" / "finetune"
DATASET = "demo-train"


@dataclass(frozen=True)
class Pass:
    """One run of `harness finetune`: name of the recipe, and number of shards of 1000 sentences."""

    recipe: str
    shards: int

    @property
    def path(self) -> Path:
        """The recipe's file."""
        return RECIPES / f"{self.recipe}.toml"

    def table(self) -> dict[str, Any]:
        """The recipe as a table."""
        return tomllib.loads(self.path.read_text(encoding="utf-8"))


PASSES = (Pass("demo", 8), Pass("demo-second", 12))


def write_manifest(work: Path, one: Pass) -> Path:
    """Write the tuning speech after rough channels, and a manifest with a row per utterance and language."""
    folder, spoken = work / one.recipe, load_spoken(work, "tune", slice(one.shards))
    folder.mkdir(parents=True, exist_ok=True)
    bank, rows = NoiseBank(SEED + 2), []
    for index, utterance in enumerate(spoken.utterances(Random(f"{SEED} tuning {one.shards}"))):
        path = folder / f"{index:05d}.wav"
        sentence, speech = spoken.utterance(utterance)
        wave = _rough_recording(bank, speech, f"{one.recipe} {index}")
        soundfile.write(path, coarse(wave), RATE, subtype="PCM_16")
        for language, text in (("de", sentence.de), ("zh", sentence.zh)):
            rows.append({"audio": path.name, "language": language, "text": text, "dataset": DATASET})
    manifest = folder / "manifest.jsonl"
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    manifest.write_text("".join(lines), encoding="utf-8")
    return manifest


def _rough_recording(bank: NoiseBank, speech: Samples, name: str) -> Samples:
    rng = Random(f"{SEED} rough {name}")
    channel = rough(rng)
    noise = bank.cut(rng, channel.colour, len(speech))
    power = float(np.mean(np.square(speech)))
    wave: Samples = transmit(torch.from_numpy(speech), channel, noise, power).numpy()
    return wave


def finetune(checkpoint: Path, work: Path) -> Path:
    """Fine-tune by LoRA in several passes, and return the last checkpoint."""
    for one in PASSES:
        output = work / f"{one.recipe}-tuned"
        if not output.exists():
            manifest = write_manifest(work, one)
            command = [sys.executable, "-m", "harness", "finetune", "--checkpoint", str(checkpoint)]
            command += ["--recipe", str(one.path), "--data", str(manifest), "--output", str(output)]
            subprocess.run([*command, "--workdir", str(work / "harness")], check=True)
        checkpoint = output
    return checkpoint
