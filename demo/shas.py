"""A tiny SHAS: a wav2vec 2.0 encoder and a frame classifier, trained on synthetic talks.

The published model has a large pre-trained encoder that is frozen; here both parts are trained together, and written
separately.
"""

import argparse
import json
import time
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import Wav2Vec2Config

from demo.channel import NoiseBank, mixed, rough, transmit
from demo.corpus import Row
from demo.finetune import DATASET
from demo.release import write_json
from demo.speech import RATE, Samples
from demo.synthesise import Spoken, load_spoken
from harness.segmentation.shas.model import (
    ShasModel,
    frame_head,
    frame_logits,
    frame_mask,
    normalised,
    truncated_encoder,
)
from harness.segmentation.shas.windows import FRAME_RATE, frame_at, windows

SEED = 2026
HIDDEN, LAYERS, FEED_FORWARD = 64, 2, 128
WINDOW = 8 * RATE
BATCH = 4
RATE_TOP, WARMUP = 2e-3, 20
STEPS = 700  # about four minutes on two cores
SHARDS = slice(0, 4)
_EMPTY = 0.06  # share of windows without speech
_LONG = 0.15  # share of pauses longer than those of the talks


def config() -> Wav2Vec2Config:
    """Return the encoder's configuration; strides and kernels are the published ones, which set the frame rate."""
    return Wav2Vec2Config(
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=FEED_FORWARD,
        conv_dim=(16, 16, 16, 32, 32, 32, 32),
        conv_kernel=(10, 3, 3, 3, 3, 2, 2),
        conv_stride=(5, 2, 2, 2, 2, 2, 2),
        conv_bias=True,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=16,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
        vocab_size=32,
    )


def lay_out(spoken: Spoken, rng: Random) -> tuple[Samples, npt.NDArray[np.bool_]]:
    """Return clean audio of one window, and for each sample whether it is in a sentence, which the window may cut."""
    audio, inside = np.zeros(WINDOW, np.float32), np.zeros(WINDOW, bool)
    if rng.random() < _EMPTY:
        return audio, inside
    place = -rng.randrange(3 * RATE)
    while place < WINDOW:
        samples = spoken.samples(rng.randrange(len(spoken)))
        start, stop = max(0, place), min(WINDOW, place + len(samples))
        if stop > start:
            audio[start:stop] = samples[start - place : stop - place]
            inside[start:stop] = True
        seconds = rng.uniform(0.9, 4.0) if rng.random() < _LONG else rng.uniform(0.25, 0.9)
        place += len(samples) + int(seconds * RATE)
    return audio, inside


def example(spoken: Spoken, bank: NoiseBank, rng: Random) -> tuple[Tensor, Tensor]:
    """Return a window after a random channel, and its target for each frame."""
    audio, inside = lay_out(spoken, rng)
    channel = mixed(rng) if rng.random() < 0.5 else rough(rng)
    power = float(np.mean(np.square(audio[inside]))) if inside.any() else 0.01
    wave = transmit(torch.from_numpy(audio), channel, bank.cut(rng, channel.colour, WINDOW), power)
    return wave, torch.from_numpy(targets(inside))


def targets(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return 1 for every frame whose middle is in a sentence, else 0."""
    frames = frame_at(len(inside))
    middles = ((np.arange(frames) + 0.5) / FRAME_RATE * RATE).astype(int)
    labels: npt.NDArray[np.float32] = inside[np.minimum(middles, len(inside) - 1)].astype(np.float32)
    return labels


def build() -> ShasModel:
    """Return the untrained model."""
    torch.manual_seed(SEED)
    return ShasModel(truncated_encoder(config(), LAYERS), frame_head(HIDDEN, 1, FEED_FORWARD), "cpu")


def logits_of(model: ShasModel, audio: Tensor, count: int) -> Tensor:
    """Return the logits of whole windows, for at most `count` frames."""
    mask = torch.ones(audio.shape, dtype=torch.long)
    states = model.encoder(normalised(audio), attention_mask=mask).last_hidden_state
    frames = min(states.shape[1], count)
    return frame_logits(model.head, states[:, :frames], frame_mask([frames] * len(audio)))


def train(model: ShasModel, spoken: Spoken, steps: int) -> list[dict[str, float]]:
    """Train for a number of steps; return the mean loss of every 50 steps."""
    rng, bank = Random(SEED), NoiseBank(SEED + 2)
    model.encoder.train()
    model.head.train()
    weights = [*model.encoder.parameters(), *model.head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=RATE_TOP, weight_decay=0.01)
    history, recent = [], []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE_TOP * min(1.0, (step + 1) / WARMUP) * (0.5 + 0.5 * np.cos(np.pi * step / steps))
        recent.append(_step(model, optimizer, [example(spoken, bank, rng) for _ in range(BATCH)]))
        if step % 50 == 49:
            history.append({"step": step + 1, "loss": round(float(np.mean(recent)), 4)})
            print(f"shas: step {step + 1}, loss {history[-1]['loss']}", flush=True)
            recent = []
    model.encoder.eval()
    model.head.eval()
    return history


def _step(model: ShasModel, optimizer: torch.optim.Optimizer, batch: list[tuple[Tensor, Tensor]]) -> float:
    audio, labels = (torch.stack(column) for column in zip(*batch, strict=True))
    logits = logits_of(model, audio, labels.shape[1])
    loss = nn.functional.binary_cross_entropy_with_logits(logits, labels[:, : logits.shape[1]])
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
    optimizer.step()
    return float(loss.detach())


def measure(model: ShasModel, corpus: Path, split: str) -> dict[str, float]:
    """Return the frame accuracy on the talks of a split, classified in windows as the harness does it.

    Balanced accuracy is the mean of the recalls of both classes.
    """
    right, counts = np.zeros(2), np.zeros(2)
    for talk, rows in _talks(corpus / split).items():
        audio, _ = soundfile.read(corpus / split / f"{talk}.flac", dtype="float32")
        inside = np.zeros(len(audio), bool)
        for row in rows:
            inside[row.start : row.end] = True
        labels = targets(inside) > 0.5
        for window in windows(len(audio), 20 * RATE):
            found = model.classify([audio[window.start : window.stop]], [window.last - window.first])[0] >= 0.5
            truth = labels[window.first : window.first + len(found)]
            for side in (False, True):
                right[int(side)] += int(((found == side) & (truth == side)).sum())
                counts[int(side)] += int((truth == side).sum())
    silence, speech = right / counts
    return {
        "frames": int(counts.sum()),
        "accuracy": round(float(right.sum() / counts.sum()), 4),
        "speech_recall": round(float(speech), 4),
        "pause_recall": round(float(silence), 4),
        "balanced_accuracy": round(float(speech + silence) / 2, 4),
    }


def _talks(folder: Path) -> dict[str, list[Row]]:
    rows = [Row(**json.loads(line)) for line in (folder / "sentences.jsonl").read_text("utf-8").splitlines()]
    return {talk: [row for row in rows if row.talk == talk] for talk in dict.fromkeys(row.talk for row in rows)}


def write(model: ShasModel, folder: Path, record: dict[str, object]) -> None:
    """Write `model.pt` in the published layout, and the encoder in a folder of its own."""
    encoder = folder / "encoder"
    encoder.mkdir(parents=True, exist_ok=True)
    weights = {name: weight.contiguous() for name, weight in model.encoder.state_dict().items()}
    save_file(weights, encoder / "model.safetensors", metadata={"format": "pt"})
    write_json(encoder / "config.json", model.encoder.config.to_diff_dict())
    args = argparse.Namespace(
        model_name="demo-wav2vec2", wav2vec_keep_layers=LAYERS, classifier_n_transformer_layers=1, segment_length=8
    )
    torch.save({"state_dict": model.head.state_dict(), "args": args}, folder / "model.pt")
    write_json(folder / "training.json", record)


def make_shas(work: Path, out: Path, steps: int = STEPS) -> dict[str, object]:
    """Train, evaluate on the talks of dev and eval, write `out/shas`, and return the record."""
    model, started = build(), time.monotonic()
    history = train(model, load_spoken(work, "tune", SHARDS), steps)
    record: dict[str, object] = {
        "datasets": [DATASET],
        "steps": steps,
        "seconds": round(time.monotonic() - started),
        "losses": history[:: max(1, len(history) // 16)],
        **{split: measure(model, out / "corpus", split) for split in ("dev", "eval")},
    }
    write(model, out / "shas", record)
    return record
