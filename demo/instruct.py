"""The checkpoint of the role `instruct`: the fine-tuned model, trained on the chat prompt."""

from pathlib import Path

from transformers import Qwen2AudioForConditionalGeneration

from demo.batches import Source, TextLayout
from demo.channel import rough
from demo.prompts import CHAT
from demo.synthesise import SEED, load_spoken
from demo.tokens import load_tokenizer
from demo.train import Progress, Schedule, Trainer

SCHEDULE = Schedule(steps=200, batch_size=24, learning_rate=6e-4, warmup=20, ctc=False, seed=SEED + 3)


def instruct(model: Qwen2AudioForConditionalGeneration, work: Path) -> Progress:
    """Train the model in place on the chat prompt."""
    layout = TextLayout(load_tokenizer(work / "tokenizer"), CHAT)
    source = Source(load_spoken(work, "tune"), layout, ("de", "zh"), SEED + 3)
    return Trainer(model, SCHEDULE, work / "instruct").run(source, rough)
