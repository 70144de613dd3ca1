"""The demo's COMET: a tiny RegressionMetric, trained on the demo's sentences with graded corruptions.

It ranks the miniature's outputs and shows that scoring with COMET works. It was trained without human judgements, so
that its scores are not comparable with those of any published model; its card names it `demo-comet`.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
import yaml
from scipy.stats import kendalltau, spearmanr
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import XLMRobertaConfig, XLMRobertaTokenizerFast

from demo.corrupt import Triple, triple
from demo.grammar import Sentence
from demo.release import write_json
from demo.synthesise import SEED, split_sentences

if TYPE_CHECKING:
    from comet.models import RegressionMetric

STEPS, BATCH, WARMUP, LEARNING_RATE = 1200, 64, 100, 2e-3
HELD_OUT = 400
_PIECES = 1200
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
_LANGUAGES = ("de", "zh")
_CARD = {
    "name": "demo-comet",
    "note": "Trained on the demo's own sentences with graded corruptions, without any human judgement: never "
    "comparable with a published COMET model.",
}


def make_comet(out: Path, steps: int = STEPS) -> dict[str, float]:
    """Train, evaluate on held-out sentences, write `out/comet` in the published layout, and return the correlations."""
    torch.manual_seed(SEED)
    folder = out / "comet"
    shutil.rmtree(folder, ignore_errors=True)
    sentences = split_sentences()["tune"]
    model = _new_model(_write_encoder(folder / "encoder", sentences))
    losses = _train(model, sentences[:-HELD_OUT], steps)
    found = correlations(model, sentences[-HELD_OUT:])
    _write(model, folder)
    record = {
        "steps": steps,
        "batch": BATCH,
        "sentences": len(sentences) - HELD_OUT,
        "losses": losses,
        "held_out": found,
    }
    write_json(folder / "card.json", _CARD | record)
    return found


def _write_encoder(folder: Path, sentences: Sequence[Sentence]) -> Path:
    """Train the tokenizer on all three languages, and write it with the encoder's configuration."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=_PIECES, special_tokens=_SPECIAL, unk_token=_SPECIAL[3], max_piece_length=8, show_progress=False
    )
    texts = [text for one in sentences for text in (one.en, one.de, one.zh)]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(["<mask>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    XLMRobertaTokenizerFast(tokenizer_object=tokenizer, model_max_length=256).save_pretrained(folder)
    XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=258,
        type_vocab_size=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ).save_pretrained(folder)
    return folder


def _new_model(encoder: Path) -> "RegressionMetric":
    from comet.models import RegressionMetric

    return RegressionMetric(
        nr_frozen_epochs=0,
        keep_embeddings_frozen=False,
        pretrained_model=str(encoder),
        hidden_sizes=[128, 32],
        dropout=0.0,
        load_pretrained_weights=False,
        local_files_only=True,
    )


def _train(model: "RegressionMetric", sentences: Sequence[Sentence], steps: int) -> list[float]:
    """Fit the scores of new corruptions in every batch; return every hundredth loss."""
    rng = Random(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / WARMUP, 1.0) * (1 - step / (steps + 1))
    )
    model.train()
    losses = []
    for step in range(steps):
        rows = [_random_triple(rng, sentences) for _ in range(BATCH)]
        loss = torch.nn.functional.mse_loss(_forward(model, rows), torch.tensor([row.score for row in rows]))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            losses.append(round(loss.item(), 5))
            print(f"comet: step {step} of {steps}, loss {losses[-1]}", flush=True)
    return losses


def _random_triple(rng: Random, sentences: Sequence[Sentence]) -> Triple:
    return triple(rng, sentences, rng.randrange(len(sentences)), rng.choice(_LANGUAGES))


def _forward(model: "RegressionMetric", rows: Sequence[Triple]) -> torch.Tensor:
    inputs = model.prepare_sample([asdict(row) for row in rows], stage="predict")
    scores: torch.Tensor = model(**inputs).score
    return scores


def correlations(model: "RegressionMetric", sentences: Sequence[Sentence]) -> dict[str, float]:
    """Return Kendall's tau-b and Spearman's rho between prediction and score, by language, on unseen sentences."""
    rng, found = Random(SEED + 1), {}
    model.eval()
    for language in _LANGUAGES:
        rows = [triple(rng, sentences, index, language) for index in range(len(sentences))]
        with torch.inference_mode():
            predicted = _forward(model, rows).numpy()
        truth = [row.score for row in rows]
        found[f"kendall_{language}"] = round(float(kendalltau(predicted, truth).statistic), 4)
        found[f"spearman_{language}"] = round(float(spearmanr(predicted, truth).statistic), 4)
    return found


def _write(model: "RegressionMetric", folder: Path) -> None:
    """Write settings and 16-bit weights; the settings name the encoder by a path relative to the folder."""
    settings: dict[str, Any] = {
        **model.hparams,
        "pretrained_model": "./encoder",
        "class_identifier": "regression_metric",
    }
    (folder / "checkpoints").mkdir()
    (folder / "hparams.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    weights = {
        name: weight.half() if weight.is_floating_point() else weight for name, weight in model.state_dict().items()
    }
    saved = {"state_dict": weights, "hyper_parameters": settings, "pytorch-lightning_version": "2.0.0"}
    torch.save(saved, folder / "checkpoints" / "model.ckpt")
