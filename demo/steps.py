"""The steps that make the demo; each is resumable and leaves files for the next."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from demo import finetune as lora
from demo import shas
from demo.blind import write_sets
from demo.comet import make_comet
from demo.corpus import read_split, write_split
from demo.decode import evaluate
from demo.instruct import instruct
from demo.ladder import ladder
from demo.pretrain import make_tokenizer, pretrain
from demo.prompts import CHAT, PLAIN
from demo.release import load_model, write_json, write_model, write_readme, write_sums
from demo.synthesise import synthesise
from demo.train import Progress

GENERAL, TUNING = "demo-general", lora.DATASET


def step_synthesise(work: Path, _: Path) -> None:
    """Speak the training sentences."""
    for split in ("tune", "general"):
        synthesise(work, split)


def step_train(work: Path, out: Path) -> None:
    """Pre-train the base: the untuned role."""
    model, progress = pretrain(work)
    record = {"role": "untuned", "datasets": [GENERAL], "parent": None, **_record(progress)}
    write_model(model, make_tokenizer(work), out / "models" / "untuned", record)


def step_finetune(work: Path, out: Path) -> None:
    """Tune the base by LoRA through the harness, and merge: the fine-tuned role."""
    model, _ = load_model(lora.finetune(out / "models" / "untuned", work))
    recipes = [one.table() for one in lora.PASSES]
    record = {"role": "finetuned", "datasets": [GENERAL, TUNING], "parent": "untuned", "recipes": recipes}
    write_model(model, make_tokenizer(work), out / "models" / "finetuned", record)


def step_instruct(work: Path, out: Path) -> None:
    """Teach the tuned model the chat prompt: the instruct role."""
    model, _ = load_model(out / "models" / "finetuned", attention="sdpa_float")
    progress = instruct(model, work)
    record = {"role": "instruct", "datasets": [GENERAL, TUNING], "parent": "finetuned"}
    write_model(model, make_tokenizer(work), out / "models" / "instruct", record | _record(progress))


def step_corpus(_: Path, out: Path) -> None:
    """Record the talks of dev and eval."""
    for split in ("dev", "eval"):
        write_split(out, split)


def step_blind(_: Path, out: Path) -> None:
    """Record and pack the six blind sets."""
    write_sets(out / "blind")


def step_shas(work: Path, out: Path) -> None:
    """Teach a tiny SHAS where sentences are."""
    print(json.dumps(shas.make(work, out), indent=2))


def step_comet(_: Path, out: Path) -> None:
    """Train the demo's COMET on its own sentences."""
    print(json.dumps(make_comet(out), indent=2))


def step_report(_: Path, out: Path) -> None:
    """Measure every role and the ladder, write the report, the card and the sums."""
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
    """Sentences and the seconds they last."""
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
    """What made the numbers."""
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
