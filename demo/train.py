"""The training loop of the miniature: cross-entropy of the targets, and CTC on the audio encoder."""

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from transformers import Qwen2AudioForConditionalGeneration

from demo.batches import Batch, Source
from demo.channel import Channel
from demo.model import IDS, CtcHead, branch_mask, encode_audio

CTC_SHARE = 0.3
SNAPSHOT_SECONDS = 240


@dataclass(frozen=True)
class Schedule:
    """Steps and learning rate, with CTC or without; the rate falls over `steps`, and `stop` may end the run before."""

    steps: int
    batch_size: int
    learning_rate: float
    warmup: int
    ctc: bool = True
    seed: int = 2026
    stop: int | None = None

    @property
    def end(self) -> int:
        """The last step."""
        return self.steps if self.stop is None else self.stop

    def rate(self, step: int) -> float:
        """Return the learning rate: linear warm-up, then half a cosine down to 2 %."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))


@dataclass
class Progress:
    """The part of a snapshot that reports show."""

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def device() -> torch.device:
    """Return a CUDA device where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def losses(model: Qwen2AudioForConditionalGeneration, head: CtcHead | None, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of the targets and the CTC loss of the letters (0 without a head)."""
    frames, audio = encode_audio(model, batch.features, batch.frames)
    language_model = model.language_model
    embedded = language_model.get_input_embeddings()(batch.ids)
    is_audio = batch.ids == IDS["<|AUDIO|>"]
    taken = torch.arange(audio.shape[1], device=audio.device) < is_audio.sum(1)[:, None]
    embedded = embedded.to(audio.dtype).masked_scatter(is_audio[..., None], audio[taken])
    hidden = language_model.model(
        inputs_embeds=embedded,
        attention_mask=branch_mask(batch.branch),
        position_ids=batch.positions,
        use_cache=False,
    ).last_hidden_state
    has_target = batch.labels >= 0
    logits = language_model.lm_head(hidden[has_target]).float()
    entropy = nn.functional.cross_entropy(logits, batch.labels[has_target])
    if head is None:
        return entropy, torch.zeros(())
    used = (batch.frames - 1) // 2 + 1
    ctc = nn.functional.ctc_loss(head(frames), batch.letters, used, batch.letter_counts, zero_infinity=True)
    return entropy, ctc


def _compile_layers(model: Qwen2AudioForConditionalGeneration) -> None:
    """Compile each layer where a C++ compiler is installed: twice as fast on a CPU."""
    if shutil.which("c++"):
        for layer in (*model.language_model.model.layers, *model.audio_tower.layers):
            layer.compile(dynamic=True)


class Trainer:
    """Trains a model and writes snapshots; a killed run continues from the last one."""

    def __init__(self, model: Qwen2AudioForConditionalGeneration, schedule: Schedule, folder: Path) -> None:
        self.model, self.schedule, self.folder = model.to(device()), schedule, folder
        _compile_layers(model)
        torch.manual_seed(schedule.seed)
        self.head = CtcHead().to(device()) if schedule.ctc else None
        parts = [model, self.head] if self.head else [model]
        self._weights = [p for part in parts for p in part.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(self._weights, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.progress = Progress()
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, source: Source, channel: Callable[[Random], Channel]) -> Progress:
        """Train until the end of the schedule."""
        self._resume()
        saved = time.monotonic()
        self.model.train()
        while self.progress.step < self.schedule.end:
            started = time.monotonic()
            pair = self._step(self._batch(source, channel))
            self.progress.step += 1
            self.progress.seconds += time.monotonic() - started
            self._note(*pair)
            if time.monotonic() - saved > SNAPSHOT_SECONDS:
                self.snapshot()
                saved = time.monotonic()
        self.snapshot()
        self.model.eval()
        return self.progress

    def _batch(self, source: Source, channel: Callable[[Random], Channel]) -> Batch:
        step, size = self.progress.step, self.schedule.batch_size
        plan_length = len(source.spoken) // (2 * size)  # at most the length of any plan, which varies with the pairs
        utterances = source.plan(step // plan_length, size)[step % plan_length]
        rng = Random(f"{self.schedule.seed} batch {step}")
        return source.batch(utterances, [channel(rng) for _ in utterances], rng).to(device())

    def _step(self, batch: Batch) -> tuple[float, float]:
        for group in self._optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.progress.step)
        with torch.autocast(device().type, dtype=torch.bfloat16):
            entropy, ctc = losses(self.model, self.head, batch)
        (entropy + CTC_SHARE * ctc).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._weights, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return entropy.item(), ctc.item()

    def _note(self, entropy: float, ctc: float) -> None:
        step = self.progress.step
        if step % 50 == 0 or step == self.schedule.end:
            row = {"step": step, "entropy": round(entropy, 4), "ctc": round(ctc, 4)}
            self.progress.history.append(row)
            pace = self.progress.seconds / step
            print(f"{self.folder.name} {row} {pace:.2f} s/step", flush=True)

    def snapshot(self) -> None:
        """Write a snapshot atomically."""
        state = {
            "model": self.model.state_dict(),
            "head": self.head.state_dict() if self.head else None,
            "optimizer": self._optimizer.state_dict(),
            "progress": vars(self.progress),
        }
        partial = self.folder / "snapshot.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "snapshot.pt")

    def _resume(self) -> None:
        path = self.folder / "snapshot.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=device(), weights_only=True)
        self.model.load_state_dict(state["model"])
        if self.head:
            self.head.load_state_dict(state["head"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])
