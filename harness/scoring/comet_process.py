"""The COMET process: started once per checkpoint, used for many sets, ended with the harness."""

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
LIBRARIES = ("unbabel-comet", "torch", "transformers")  # their versions change COMET's numbers
_VERSIONS = "import sys, importlib.metadata as m; print(*[m.version(name) for name in sys.argv[1:]])"


def interpreter() -> str:
    """Return the Python that runs COMET."""
    return os.environ.get(VARIABLE, sys.executable)


@cache
def versions(python: str) -> tuple[str, ...]:
    """Return the versions of `LIBRARIES` of an interpreter, without importing them.

    Raises:
        NotMeasuredError: it is not a Python interpreter, or lacks one of them.
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
        trusted: whether the user trusts this checksum, so that a pickle with more than weights may be loaded.
        precision: torch's name of the type to compute in.
    """

    root: Path
    sha256: str
    trusted: bool
    precision: str


class CometProcess:
    """A running COMET model on `device`, which is torch's name of it, e.g. `cpu`."""

    def __init__(self, checkpoint: CometCheckpoint, python: str) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._root = checkpoint.root
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("comet_worker.py"))],
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
            raise UserError(
                f"{checkpoint.root / 'checkpoints' / 'model.ckpt'} holds more than weights "
                f"({', '.join(ready['unsafe'])}), and loading that would run code from the file: get another "
                "checkpoint, or, if you trust this very file, set "
                f'`scoring.comet.trusted_sha256 = "{checkpoint.sha256}"` in the task.'
            )
        self.device = str(ready["device"])

    def score(self, samples: Sequence[dict[str, str]], batch_size: int) -> tuple[float, ...]:
        """Return one number per sample (`src`, `mt`, `ref`), on the model's own scale.

        Raises:
            UserError: the model failed, or its process ended.
        """
        return tuple(map(float, self._ask({"batch_size": batch_size, "samples": list(samples)})["scores"]))

    def close(self) -> None:
        """End the process by closing its input."""
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
        reply = json.loads(line) if line else {"error": self._failure()}
        if "error" in reply:
            self.close()
            running.cache_clear()
            raise UserError(
                f"COMET cannot use {self._root} ({reply['error']}): check that it holds a COMET checkpoint, and that "
                "the encoder that its hparams.yaml names is on this machine."
            )
        return reply

    def _failure(self) -> str:
        self._process.wait()
        self._log.seek(0)
        lines = [line for line in self._log.read().decode(errors="replace").split("\n") if line.strip()]
        last = lines[-1][:300] if lines else "without a message"
        return f"its process ended with exit code {self._process.returncode}: {last}"


def _environment(checkpoint: CometCheckpoint) -> dict[str, str]:
    """Return variables that keep the process offline, and restrict torch to weights where the file is not trusted."""
    loading = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" if checkpoint.trusted else "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TORCH_FORCE_")}
    return {**kept, loading: "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUTF8": "1"}


@cache
def running(checkpoint: CometCheckpoint, python: str) -> CometProcess:
    """Return the process of a checkpoint, started at the first call.

    Raises:
        UserError: the checkpoint cannot be loaded, or only when trusted.
    """
    return CometProcess(checkpoint, python)
