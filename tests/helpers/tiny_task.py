"""A whole tiny task: a random checkpoint, a corpus of noise in the demo's layout, and a profile that names them."""

import json
from pathlib import Path

from tests.helpers.tiny_model import TinyModel, write_tiny_model

RATE = 16_000
SENTENCES = (
    ("the model hears a talk", "das Modell hört einen Vortrag", "模型听一个报告"),
    ("we measure the size", "wir messen die Größe", "我们测量大小"),
    ("thank you", "danke", "谢谢"),
)
PROFILE = """
format_version = 2
name = "tiny"
title = "A tiny task"
segmentation = "gold"
limit = {{ bytes = {limit} }}
directions.en-de = {{ source = "en", target = "de", target_name = "German" }}
directions.en-zh = {{ source = "en", target = "zh", target_name = "Chinese" }}
prompts.base = {{ text = "<|audio_bos|><|AUDIO|><|audio_eos|>To {{target_lang}}: " }}
development_sets = {{ en-de = ["{test_set}"], en-zh = ["{test_set}"] }}
test_sets = {{ en-de = ["{test_set}"], en-zh = ["{test_set}"] }}

[roles.finetuned]
checkpoint = "{checkpoint}"
prompt = "base"
directions = ["en-de", "en-zh"]
decoding = {{ batch_size = 2, max_new_tokens = 4 }}

[names]
archive_task = "MODELCOMPRESSION"
model = "{{team}}_IWSLT26_ModelCompression_{{pair}}_{{condition}}_{{entry}}"
constrained_data = ["tiny-set"]
"""
TEST_SET = """
format_version = 1
name = "tiny-set"
dataset = "tiny-set"
campaign_name = "TINY"
layout = "demo"
path = "{path}"
split = "eval"
source = "en"
targets = ["de", "zh"]
licence = "Apache-2.0"
talks = 1
"""


def write_tiny_task(folder: Path, limit: int = 1_000_000) -> Path:
    """Write checkpoint, corpus, test-set manifest and profile into `folder`; return the profile's path."""
    checkpoint = write_tiny_model(folder / "checkpoint", TinyModel(datasets=("tiny-train",)))
    _write_corpus(folder / "corpus" / "eval")
    test_set = folder / "tiny-set.toml"
    test_set.write_text(TEST_SET.format(path=folder / "corpus"))
    profile = folder / "tiny.toml"
    profile.write_text(PROFILE.format(limit=limit, checkpoint=checkpoint, test_set=test_set))
    return profile


def _write_corpus(folder: Path) -> None:
    import numpy as np
    import soundfile

    folder.mkdir(parents=True)
    talk = "2026.tiny-talks.7"
    noise = np.random.default_rng(3).integers(-3000, 3000, 4 * RATE).astype(np.int16)
    soundfile.write(folder / f"{talk}.flac", noise, RATE, subtype="PCM_16")
    (folder / "FILE_ORDER").write_text(f"{talk}\n")
    rows = [
        {"talk": talk, "start": i * RATE, "end": i * RATE + RATE // 2 + i * 1000, "en": en, "de": de, "zh": zh}
        for i, (en, de, zh) in enumerate(SENTENCES)
    ]
    (folder / "sentences.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
