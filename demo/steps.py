"""The steps that make the demo; each can be resumed and writes files for the next."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from demo import finetune as lora
from demo.blind import write_sets
from demo.comet import make_comet
from demo.corpus import read_split, write_split
from demo.decode import evaluate
from demo.instruct import instruct
from demo.ladder import ladder
from demo.pretrain import make_tokenizer, pretrain
from demo.prompts import CHAT, PLAIN
from demo.release import load_model, write_json, write_model, write_readme, write_sums
from demo.shas import make_shas
from demo.synthesise import synthesise
from demo.train import Progress

GENERAL, TUNING = "demo-general", lora.DATASET


def step_synthesise(work: Path, _: Path) -> None:
    """Synthesise the training sentences as speech."""
    for split in ("tune", "general"):
        synthesise(work, split)


def step_train(work: Path, out: Path) -> None:
    """Pre-train the base, the checkpoint of the role `untuned`."""
    model, progress = pretrain(work)
    record = {"role": "untuned", "datasets": [GENERAL], "parent": None, **_record(progress)}
    write_model(model, make_tokenizer(work), out / "models" / "untuned", record)


def step_finetune(work: Path, out: Path) -> None:
    """Fine-tune the base by LoRA with `harness finetune`: the checkpoint of the role `finetuned`."""
    model, _ = load_model(lora.finetune(out / "models" / "untuned", work))
    recipes = [one.table() for one in lora.PASSES]
    record = {"role": "finetuned", "datasets": [GENERAL, TUNING], "parent": "untuned", "recipes": recipes}
    write_model(model, make_tokenizer(work), out / "models" / "finetuned", record)


def step_instruct(work: Path, out: Path) -> None:
    """Train the fine-tuned model on the chat prompt: the checkpoint of the role `instruct`."""
    model, _ = load_model(out / "models" / "finetuned", attention="sdpa_float")
    progress = instruct(model, work)
    record = {"role": "instruct", "datasets": [GENERAL, TUNING], "parent": "finetuned"}
    write_model(model, make_tokenizer(work), out / "models" / "instruct", record | _record(progress))


def step_corpus(_: Path, out: Path) -> None:
    """Synthesise the talks of dev and eval."""
    for split in ("dev", "eval"):
        write_split(out, split)


def step_blind(_: Path, out: Path) -> None:
    """Synthesise the six blind sets, and write their archives."""
    write_sets(out / "blind")


def step_shas(work: Path, out: Path) -> None:
    """Train a tiny SHAS."""
    print(json.dumps(make_shas(work, out), indent=2))


def step_comet(_: Path, out: Path) -> None:
    """Train a tiny COMET."""
    print(json.dumps(make_comet(out), indent=2))


def step_report(_: Path, out: Path) -> None:
    """Evaluate every role and the ladder; write the report, the README and the checksums."""
    report: dict[str, Any] = {"versions": versions(), "bleu": {}, "training": {}}
    rows = read_split(out, "eval")
    for role, prompt in (("untuned", PLAIN), ("finetuned", PLAIN), ("instruct", CHAT)):
        folder = out / "models" / role
        model, processor = load_model(folder)
        if role == "finetuned":
            report["hqq_bleu"] = ladder(model, processor, rows, prompt)
            report["bleu"][role] = report["hqq_bleu"]["16"]
        else:
            report["bleu"][role] = evaluate(model, processor, rows, prompt)
        report["training"][role] = json.loads((folder / "training.json").read_text("utf-8"))
    report["parameters"] = sum(weight.numel() for weight in model.parameters())
    report["corpus"] = {split: corpus_size(out, split) for split in ("dev", "eval")}
    write_json(out / "report.json", report)
    write_readme(out)
    write_sums(out)
    print(json.dumps({name: report[name] for name in ("bleu", "hqq_bleu")}, indent=2))


def corpus_size(out: Path, split: str) -> dict[str, float]:
    """Return the number of sentences of a split, and their seconds."""
    rows = read_split(out, split)
    seconds = sum(len(samples) for _, samples in rows) / 16_000
    return {"sentences": len(rows), "speech_seconds": round(seconds, 1)}


def _record(progress: Progress) -> dict[str, Any]:
    return {
        "steps": progress.step,
        "seconds": round(progress.seconds),
        "losses": progress.history[:: max(1, len(progress.history) // 16)],
    }


def versions() -> dict[str, str]:
    """Return the versions of what determines the numbers."""
    found = {name: version(name) for name in ("torch", "transformers", "hqq", "sacrebleu")}
    speech = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True)
    return found | {"espeak-ng": speech.stdout.split(":")[1].split()[0]}


STEPS = {
    "synthesise": step_synthesise,
    "train": step_train,
    "finetune": step_finetune,
    "instruct": step_instruct,
    "corpus": step_corpus,
    "blind": step_blind,
    "shas": step_shas,
    "comet": step_comet,
    "report": step_report,
}
