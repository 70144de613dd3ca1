"""Talking to the COMET process: started once per checkpoint, asked for many sets, ended with the harness."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.errors import UserError
from harness.scoring.metric import NotMeasuredError

VARIABLE = "HARNESS_COMET_PYTHON"
"""The environment variable that names the interpreter with unbabel-comet; by default the harness's own."""
LIBRARIES = ("unbabel-comet", "torch", "transformers")
"""Libraries whose versions change COMET's numbers."""
_WORKER = Path(__file__).with_name("comet_worker.py")
_VERSIONS = "import sys, importlib.metadata as m; print(*[m.version(name) for name in sys.argv[1:]])"


def interpreter() -> str:
    """Return the Python that runs COMET."""
    return os.environ.get(VARIABLE, sys.executable)


@cache
def versions(python: str) -> tuple[str, ...]:
    """Return the versions of `LIBRARIES` that an interpreter has; nothing is imported there.

    Raises:
        NotMeasuredError: it is no Python, or lacks one of them.
    """
    try:
        done = subprocess.run([python, "-c", _VERSIONS, *LIBRARIES], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotMeasuredError(
            f"{python} has no unbabel-comet: install it with `pip install 'stcompress[comet]' -c constraints.txt`, or "
            f"set {VARIABLE} to the Python of an environment that has it."
        ) from error
    return tuple(done.stdout.split())


@dataclass(frozen=True)
class CometCheckpoint:
    """A COMET checkpoint on disk, in the published layout.

    Attributes:
        root: folder with `hparams.yaml` and `checkpoints/model.ckpt`.
        sha256: of model.ckpt.
        trusted: whether the user trusts this very sum, so that a pickle with more than weights may be loaded.
        precision: torch's name of the type to compute in.
    """

    root: Path
    sha256: str
    trusted: bool
    precision: str


class CometProcess:
    """A running COMET model.

    Attributes:
        device: torch's name of the device that it found, e.g. `cpu`.
    """

    def __init__(self, checkpoint: CometCheckpoint, python: str) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._root = checkpoint.root
        self._process = subprocess.Popen(
            [python, str(_WORKER)],
            cwd=checkpoint.root,
            env=_environment(checkpoint),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
        )
        atexit.register(self.close)
        ready = self._ask({"checkpoint": "checkpoints/model.ckpt", "precision": checkpoint.precision})
        if "unsafe" in ready:
            self.close()
            raise UserError(_distrust(checkpoint, ready["unsafe"]))
        self.device = str(ready["device"])

    def score(self, samples: Sequence[dict[str, str]], batch_size: int) -> tuple[float, ...]:
        """Return one number per sample (`src`, `mt`, `ref`), on the model's own scale.

        Raises:
            UserError: the model failed, or its process ended.
        """
        scores = self._ask({"batch_size": batch_size, "samples": list(samples)})["scores"]
        return tuple(float(score) for score in scores)

    def close(self) -> None:
        """End the process: it ends by itself when nothing more can come."""
        atexit.unregister(self.close)
        self._process.communicate()
        self._log.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101, PT018 - both are pipes
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        reply = json.loads(line) if line else {"error": self._last_words()}
        if "error" in reply:
            self.close()
            running.cache_clear()
            raise UserError(
                f"COMET cannot use {self._root} ({reply['error']}): check that it holds a COMET checkpoint, and that "
                "the encoder that its hparams.yaml names is on this machine."
            )
        return reply

    def _last_words(self) -> str:
        self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        said = [line for line in lines if line.strip()]
        return f"its process ended with exit code {self._process.returncode}: {said[-1][:300] if said else 'no word'}"


def _environment(checkpoint: CometCheckpoint) -> dict[str, str]:
    """Keep the process offline, and torch to weights alone where the file is not trusted."""
    loading = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" if checkpoint.trusted else "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TORCH_FORCE_")}
    return {**kept, loading: "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUTF8": "1"}


def _distrust(checkpoint: CometCheckpoint, classes: Sequence[str]) -> str:
    return (
        f"{checkpoint.root / 'checkpoints' / 'model.ckpt'} holds more than weights ({', '.join(classes)}), and loading "
        "that would run code from the file: get another checkpoint, or, if you trust this very file, set "
        f'`scoring.comet.trusted_sha256 = "{checkpoint.sha256}"` in the task.'
    )


@cache
def running(checkpoint: CometCheckpoint, python: str) -> CometProcess:
    """Return the process of a checkpoint, started at the first call.

    Raises:
        UserError: the checkpoint does not load, or not without trust.
    """
    return CometProcess(checkpoint, python)
