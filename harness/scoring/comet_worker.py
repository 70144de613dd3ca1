"""COMET in a separate process: JSON lines in, JSON lines out.

Run as a file by an interpreter that has unbabel-comet, which need not be the harness's own, so it does not import the
harness. The working folder is the checkpoint's root, so that a relative `pretrained_model` is found there.

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


def main() -> None:
    """Load one checkpoint, then score samples until stdin ends."""
    # Python looks for modules beside the script first, where statistics.py would shadow the standard library's.
    sys.path.remove(str(Path(__file__).parent))
    # Only answers go to stdout: what libraries print goes to stderr.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    model: list[Any] = []
    ready = _answer(out, partial(_load, sys.stdin.readline(), model))
    for line in sys.stdin if ready else ():
        _answer(out, partial(_score, model, line))


def _answer(out: TextIO, work: Callable[[], Reply]) -> bool:
    """Call `work` and print its result or its error as one line; return whether it succeeded."""
    try:
        reply = work()
    except Exception as error:  # noqa: BLE001 - every error is reported to the harness
        reply = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:600]}"}
    print(json.dumps(reply), file=out, flush=True)
    return not {"error", "unsafe"} & set(reply)


def _load(line: str, model: list[Any]) -> Reply:
    request = json.loads(line)
    checkpoint = request["checkpoint"]
    _check_hparams("hparams.yaml", 1 << 20)
    import torch

    untrusted = os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD") == "1"
    if untrusted and (unsafe := torch.serialization.get_unsafe_globals_in_checkpoint(checkpoint)):
        return {"unsafe": sorted(unsafe)}
    import comet

    loaded = comet.load_from_checkpoint(checkpoint, local_files_only=True).eval()
    model.append(loaded.to(getattr(torch, request["precision"])))
    return {"device": "cuda" if torch.cuda.is_available() else "cpu"}


def _check_hparams(name: str, limit: int) -> None:
    """Refuse settings that are more than plain values: comet's own reader would look up the classes in their tags."""
    import yaml

    text = Path(name).read_bytes()
    if len(text) > limit:
        raise ValueError(f"{name} is larger than {limit} bytes")
    yaml.safe_load(text)


def _score(model: list[Any], line: str) -> Reply:
    import torch

    request = json.loads(line)
    options = {"gpus": int(torch.cuda.is_available()), "num_workers": 0, "progress_bar": False}
    predicted = model[0].predict(request["samples"], batch_size=request["batch_size"], **options)
    return {"scores": [float(score) for score in predicted.scores]}


if __name__ == "__main__":
    main()
