"""LoRA by the fast packed pass, before `harness finetune` gives the last polish.

The verb trains on one row at a time and on text alone; here one pass over the audio
serves both languages and CTC goes on helping the tower, so that new voices and channels are
learnt in minutes on two cores. In the later phases the weights are shaken as 4-bit
rounding would: a model this narrow has no redundancy, a large one forgives such
rounding by itself.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import Qwen2AudioForConditionalGeneration

from demo.batches import Source, TextLayout
from demo.channel import rough
from demo.prompts import PLAIN
from demo.synthesise import load_spoken
from demo.tokens import load_tokenizer
from demo.train import Progress, Schedule, Trainer, device

RANK = 64
GROUP = 64


@dataclass(frozen=True)
class Phase:
    """One run of the trainer.

    `shards` says how many thousand sentences it learns from, `noise` how far the weights
    are shaken, in steps of 4-bit rounding.
    """

    name: str
    schedule: Schedule
    shards: int
    noise: float
    source_seed: int


PHASES = (
    Phase("adapt-1", Schedule(1600, 24, 2e-3, 40, seed=8), 4, 0.0, 7),
    Phase("adapt-2", Schedule(1200, 24, 1.5e-3, 40, seed=10), 12, 1.2, 9),
    Phase("adapt-3", Schedule(800, 24, 1.2e-3, 40, seed=12), 12, 2.0, 11),
)


class Adapter(nn.Module):
    """W + BA as a parametrisation of a linear layer's weight, shaken in training."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.a = nn.Parameter(torch.empty(RANK, columns))
        self.b = nn.Parameter(torch.zeros(rows, RANK))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))
        self.noise = 0.0

    def forward(self, weight: Tensor) -> Tensor:
        """The weight in use."""
        with torch.autocast(weight.device.type, enabled=False):
            adapted = weight + self.b @ self.a
            if not (self.training and self.noise):
                return adapted
            return adapted + rounding_noise(adapted.detach(), self.noise)


def rounding_noise(weight: Tensor, width: float) -> Tensor:
    """Uniform noise, `width` steps of 4-bit rounding in groups wide."""
    groups = weight.view(-1, GROUP)
    step = (groups.amax(1, keepdim=True) - groups.amin(1, keepdim=True)) / 15
    return ((torch.rand_like(groups) - 0.5) * step * width).view_as(weight)


def _add_adapters(model: Qwen2AudioForConditionalGeneration) -> list[nn.Linear]:
    torch.manual_seed(5)
    model.requires_grad_(requires_grad=False)
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", Adapter(layer.weight))
    return layers


def adapt(model: Qwen2AudioForConditionalGeneration, work: Path) -> list[Progress]:
    """Adapt the base in place, phase by phase, and merge."""
    layers, done = _add_adapters(model), []
    before = torch.load(work / "base" / "snapshot.pt", map_location=device(), weights_only=True)
    head = before["head"]
    for phase in PHASES:
        trainer = Trainer(model, phase.schedule, work / phase.name)
        if trainer.head:
            trainer.head.load_state_dict(head)
        for module in model.modules():
            if isinstance(module, Adapter):
                module.noise = phase.noise
        done.append(trainer.run(_source(work, phase), rough))
        head = trainer.head.state_dict() if trainer.head else head
    for layer in layers:
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return done


def _source(work: Path, phase: Phase) -> Source:
    layout = TextLayout(load_tokenizer(work / "tokenizer"), PLAIN)
    spoken = load_spoken(work, "tune", slice(phase.shards))
    return Source(spoken, layout, ("de", "zh"), phase.source_seed)
