"""LoRA by the fast packed pass, before `harness finetune` gives the last polish.

The verb trains on one row at a time and on text alone; here one pass over the audio
serves both languages and CTC goes on helping the tower, so that new voices and channels are
learnt in minutes on two cores. In the second phase the weights are shaken as 4-bit
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
NOISE = 1.2  # width of the noise in 4-bit steps


@dataclass(frozen=True)
class Phase:
    """One run of the trainer: its schedule, its sentences, whether weights are shaken."""

    name: str
    schedule: Schedule
    shards: int
    shaken: bool
    source_seed: int


PHASES = (
    Phase("adapt-1", Schedule(1600, 24, 2e-3, 40, seed=8), 4, False, 7),
    Phase("adapt-2", Schedule(1200, 24, 1.5e-3, 40, seed=10), 12, True, 9),
)


class Adapter(nn.Module):
    """W + BA as a parametrisation of a linear layer's weight, shaken in training."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.a = nn.Parameter(torch.empty(RANK, columns))
        self.b = nn.Parameter(torch.zeros(rows, RANK))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))
        self.shaken = False

    def forward(self, weight: Tensor) -> Tensor:
        """The weight in use."""
        with torch.autocast(weight.device.type, enabled=False):
            adapted = weight + self.b @ self.a
            if not (self.training and self.shaken):
                return adapted
            return adapted + rounding_noise(adapted.detach())


def rounding_noise(weight: Tensor) -> Tensor:
    """Uniform noise as wide as the steps of 4-bit rounding in groups."""
    groups = weight.view(-1, GROUP)
    step = (groups.amax(1, keepdim=True) - groups.amin(1, keepdim=True)) / 15
    return ((torch.rand_like(groups) - 0.5) * step * NOISE).view_as(weight)


def _add_adapters(model: Qwen2AudioForConditionalGeneration) -> list[nn.Linear]:
    torch.manual_seed(5)
    model.requires_grad_(requires_grad=False)
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", Adapter(layer.weight))
    return layers


def adapt(model: Qwen2AudioForConditionalGeneration, work: Path) -> list[Progress]:
    """Adapt the base in place, in two phases, and merge."""
    layers, done = _add_adapters(model), []
    before = torch.load(work / "base" / "snapshot.pt", map_location=device(), weights_only=True)
    head = before["head"]
    for phase in PHASES:
        trainer = Trainer(model, phase.schedule, work / phase.name)
        if trainer.head:
            trainer.head.load_state_dict(head)
        for module in model.modules():
            if isinstance(module, Adapter):
                module.shaken = phase.shaken
        done.append(trainer.run(_source(work, phase), rough))
        head = trainer.head.state_dict() if trainer.head else head
    for layer in layers:
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return done


def _source(work: Path, phase: Phase) -> Source:
    layout = TextLayout(load_tokenizer(work / "tokenizer"), PLAIN)
    spoken = load_spoken(work, "tune", slice(phase.shards))
    return Source(spoken, layout, ("de", "zh"), phase.source_seed)
