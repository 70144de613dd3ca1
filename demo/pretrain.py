"""The checkpoint of the role `untuned`: the base, trained on general speech."""

from pathlib import Path

from transformers import Qwen2AudioForConditionalGeneration

from demo.batches import Source, TextLayout
from demo.channel import mixed
from demo.model import new_model
from demo.prompts import PLAIN
from demo.synthesise import SEED, load_spoken, split_sentences
from demo.tokens import load_tokenizer, train_tokenizer
from demo.train import Progress, Schedule, Trainer

# Stopped before the learning rate has fallen, so that fine-tuning still improves the base.
SCHEDULE = Schedule(steps=4400, batch_size=24, learning_rate=1.5e-3, warmup=200, seed=SEED, stop=3200)
_TOKENIZER_SENTENCES = 8000


def make_tokenizer(work: Path) -> Path:
    """Train the tokenizer on general sentences, unless it exists."""
    folder = work / "tokenizer"
    if not folder.exists():
        chosen = split_sentences()["general"][:_TOKENIZER_SENTENCES]
        train_tokenizer((text for one in chosen for text in (one.en, one.de, one.zh)), folder)
    return folder


def pretrain(work: Path) -> tuple[Qwen2AudioForConditionalGeneration, Progress]:
    """Train the base, or continue its training; the CTC head is kept in the snapshot only."""
    layout = TextLayout(load_tokenizer(make_tokenizer(work)), PLAIN)
    source = Source(load_spoken(work, "general"), layout, ("en", "de", "zh"), SEED)
    trainer = Trainer(new_model(1), SCHEDULE, work / "base")
    progress = trainer.run(source, mixed)
    return trainer.model, progress
