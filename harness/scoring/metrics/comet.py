"""COMET by unbabel-comet (Rei et al., 2020, 2022): the ranking metric of the campaign, x 100.

The model runs in a separate process (`comet_process`). The task names checkpoint and batch size; another checkpoint
gives other numbers, and that of the demo (`demo-comet`) is never comparable with a published one.
"""

from functools import cache
from pathlib import Path

from harness.config.scoring import Comet, Scoring
from harness.core.errors import UserError
from harness.core.files import key_of, read_json, sha256_of
from harness.scoring.comet_process import LIBRARIES, CometCheckpoint, interpreter, running, versions
from harness.scoring.metric import (
    Need,
    NotMeasuredError,
    Scale,
    Score,
    Scored,
    Scorer,
    Texts,
    configured_metric,
    mean_statistics,
)


@configured_metric(Scale("COMET"), frozenset({Need.SOURCE, Need.REFERENCE, Need.CHECKPOINT}))
def comet(settings: Scoring, name: str) -> Scorer:
    """Return the scorer of one of the task's checkpoints, by the name of its metric.

    Raises:
        NotMeasuredError: the task names none, it is not on this machine, or unbabel-comet is not installed.
    """
    chosen = settings.comets.get(name, settings.comet)
    if chosen is None:
        raise NotMeasuredError("the task names no COMET checkpoint: give it a [scoring.comet] table.")
    for file in ("hparams.yaml", "checkpoints/model.ckpt"):
        if not (chosen.path / file).is_file():
            advice = f"put a copy of {chosen.hub} there" if chosen.hub else "restore it from the repository"
            raise NotMeasuredError(f"{chosen.path / file} is missing: {advice}.")
    found = versions(interpreter())
    identity = key_of([_digests(chosen.path), chosen.batch_size, chosen.precision, found])
    return Scorer(lambda _target: identity, lambda texts: score_comet(texts, chosen, name))


def score_comet(texts: Texts, chosen: Comet, name: str = "COMET") -> Scored:
    """Compute COMET x 100: the mean over segments, with the value of every segment.

    Raises:
        UserError: the checkpoint does not load, or the model fails.
    """
    process = running(open_checkpoint(chosen), interpreter())
    lines = zip(texts.sources or (), texts.hypotheses, texts.references, strict=True)
    samples = [{"src": source, "mt": hypothesis, "ref": reference} for source, hypothesis, reference in lines]
    by_segment = tuple(100 * score for score in process.score(samples, chosen.batch_size))
    value = sum(by_segment) / len(by_segment)
    made = f"{name}|{signature(chosen, process.device)}|{texts.made_by}"
    return Scored(Score(name, value, "x 100", made, len(by_segment)), mean_statistics(by_segment))


def signature(chosen: Comet, device: str) -> str:
    """Return the settings of a COMET number: model, its checksum, batch, precision, libraries, device."""
    libraries = "|".join(f"{name}:{found}" for name, found in zip(LIBRARIES, versions(interpreter()), strict=True))
    model = f"{model_name(chosen)}@{_digests(chosen.path)['checkpoints/model.ckpt'][:12]}"
    return f"model:{model}|batch:{chosen.batch_size}|{chosen.precision}|{libraries}|device:{device}"


def model_name(chosen: Comet) -> str:
    """Return the model's name: that in its folder's card (`demo-comet`), else the repository's.

    Raises:
        UserError: the card cannot be read.
    """
    card = chosen.path / "card.json"
    if not card.is_file():
        return chosen.hub.rpartition("/")[2]
    value = read_json(card)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise UserError(f"{card} does not contain a name: restore the checkpoint.")
    return str(value["name"])


def open_checkpoint(chosen: Comet) -> CometCheckpoint:
    """Return the task's checkpoint with its checksum, and whether the task trusts that checksum."""
    sha256 = _digests(chosen.path)["checkpoints/model.ckpt"]
    return CometCheckpoint(chosen.path.resolve(), sha256, sha256 == chosen.trusted_sha256, str(chosen.precision))


def _digests(root: Path) -> dict[str, str]:
    """Return the checksums of all files below a checkpoint's folder; unchanged files are read once per process."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): _digest(path, path.stat().st_mtime_ns, path.stat().st_size) for path in files}


@cache
def _digest(path: Path, _changed: int, _size: int) -> str:
    return sha256_of(path)
