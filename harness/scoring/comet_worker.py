"""COMET in a process of its own: JSON lines in, JSON lines out.

Run as a file by an interpreter that has unbabel-comet, which need not be the harness's own; so it imports nothing of
the harness. The working folder is the checkpoint's root, so that a relative `pretrained_model` is found there.

    in   {"checkpoint": "checkpoints/model.ckpt", "precision": "float16"}                    once
    out  {"device": "cpu"}                                           or {"unsafe": ["module.Class"]} or {"error": "..."}
    in   {"batch_size": 16, "samples": [{"src": "", "mt": "", "ref": ""}]}
    out  {"scores": [0.8]}                                           or {"error": "..."}
"""

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

Reply = dict[str, Any]
_HPARAMS_LIMIT = 1 << 20


def main() -> None:
    """Load one checkpoint, then score what comes until stdin ends."""
    # Python looks for modules beside the script first, and there lies a comet.py that is not the one meant.
    sys.path.remove(str(Path(__file__).parent))
    out = _take_stdout()
    model: list[Any] = []
    ready = _answer(out, partial(_load, sys.stdin.readline(), model))
    for line in sys.stdin if ready else ():
        _answer(out, partial(_score, model, line))


def _take_stdout() -> TextIO:
    """Keep stdout for answers alone: whatever a library prints goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _answer(out: TextIO, work: Callable[[], Reply]) -> bool:
    """Do a piece of work and print its result, or what went wrong, as one line; return whether it went well."""
    try:
        reply = work()
    except Exception as error:  # noqa: BLE001 - whatever it is, the harness has to hear of it
        reply = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:600]}"}
    print(json.dumps(reply), file=out, flush=True)
    return not {"error", "unsafe"} & set(reply)


def _load(line: str, model: list[Any]) -> Reply:
    request = json.loads(line)
    checkpoint = request["checkpoint"]
    _check_hparams("hparams.yaml")
    import torch

    if os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD") == "1":
        unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(checkpoint)
        if unsafe:
            return {"unsafe": sorted(unsafe)}
    import comet

    loaded = comet.load_from_checkpoint(checkpoint, local_files_only=True).eval()
    model.append(loaded.to(getattr(torch, request["precision"])))
    return {"device": "cuda" if torch.cuda.is_available() else "cpu"}


def _check_hparams(name: str) -> None:
    """Refuse settings that are more than plain values: comet's own reader would look up what their tags name."""
    import yaml

    text = Path(name).read_bytes()
    if len(text) > _HPARAMS_LIMIT:
        raise ValueError(f"{name} is larger than {_HPARAMS_LIMIT} bytes")
    yaml.safe_load(text)


def _score(model: list[Any], line: str) -> Reply:
    import torch

    request = json.loads(line)
    predicted = model[0].predict(
        request["samples"],
        batch_size=request["batch_size"],
        gpus=int(torch.cuda.is_available()),
        num_workers=0,
        progress_bar=False,
    )
    return {"scores": [float(score) for score in predicted.scores]}


if __name__ == "__main__":
    main()
