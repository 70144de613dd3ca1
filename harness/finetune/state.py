"""Saved states of a run, with which it can be resumed, and the log of losses.

A state is adapter and optimiser after a step, as one file. The order of rows, the learning rate and the dropout of a
step are pure functions of the step, so that nothing else needs saving.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.core.errors import UserError, check_format
from harness.core.files import published, write_bytes
from harness.core.safetensors_io import open_tensor_file, write_tensors

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer

FORMAT = 1
_FORMAT_NAME = "format_version"
_STEP = "step"
_MOMENTS = ("exp_avg", "exp_avg_sq")


class Loss(msgspec.Struct, frozen=True):
    """One step's line in the log.

    Attributes:
        step: from 1.
        loss: mean cross-entropy of the step's target tokens in nats, before the step.
        tokens: target tokens of the step, end tokens included.
    """

    step: int
    loss: float
    tokens: int
    learning_rate: float


@dataclass(frozen=True)
class RunFolder:
    """A run's files in a folder of the work directory, which is named by the key of the run."""

    path: Path

    @property
    def state(self) -> Path:
        """The last saved state."""
        return self.path / "state.safetensors"

    @property
    def losses(self) -> Path:
        """One `Loss` per line."""
        return self.path / "losses.jsonl"

    def log(self, loss: Loss) -> None:
        """Append a step to the log; where that fails, e.g. because the disk is full, raise a `UserError`."""
        try:
            with self.losses.open("ab") as stream:
                stream.write(msgspec.json.encode(loss) + b"\n")
        except OSError as error:
            raise UserError(f"Cannot write {self.losses}: {error.strerror or error}.") from error

    def truncate_losses(self, step: int) -> list[Loss]:
        """Truncate the log after a step, and return it: steps after the last saved state will be logged again."""
        lines = self.losses.read_bytes().split(b"\n") if self.losses.is_file() else []
        known = [loss for line in lines if (loss := _loss(line)) is not None and loss.step <= step]
        write_bytes(self.losses, b"".join(msgspec.json.encode(loss) + b"\n" for loss in known))
        return known


def _loss(line: bytes) -> Loss | None:
    try:
        return msgspec.json.decode(line, type=Loss)
    except msgspec.DecodeError:  # truncated by a kill
        return None


def save_state(folder: RunFolder, step: int, parameters: Mapping[str, "Parameter"], optimizer: "Optimizer") -> None:
    """Save adapter and optimiser after a step.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    import torch

    numbers = {_FORMAT_NAME: FORMAT, _STEP: step}
    tensors = {name: torch.tensor([number], dtype=torch.int64) for name, number in numbers.items()}
    for name, parameter in parameters.items():
        tensors[f"value.{name}"] = parameter.detach().cpu()
        for moment in _MOMENTS:
            tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment].cpu()
    if folder.losses.is_file():
        # The log must not end before the state: its lines up to this step are not logged again.
        with folder.losses.open("rb") as stream:
            os.fsync(stream.fileno())
    with published(folder.state) as temporary:
        write_tensors(temporary, tensors)


def load_state(folder: RunFolder, parameters: Mapping[str, "Parameter"], optimizer: "Optimizer") -> int:
    """Load the last saved state into adapter and optimiser, and return the number of finished steps; 0 without a state.

    Raises:
        UserError: the state is damaged or of a newer format.
    """
    import torch

    if not folder.state.is_file():
        return 0
    file = open_tensor_file(folder.state)
    if not {_FORMAT_NAME, _STEP} <= file.entries.keys():
        raise UserError(f"{folder.state} is not a saved state: remove it to start again.")
    check_format(str(folder.state), int(file.read(_FORMAT_NAME)[0]), FORMAT)
    step = int(file.read(_STEP)[0])
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(file.read(f"value.{name}"))
            moments = {moment: file.read(f"{moment}.{name}").clone().to(parameter.device) for moment in _MOMENTS}
            optimizer.state[parameter] = {"step": torch.tensor(float(step), device=parameter.device), **moments}
    return step
