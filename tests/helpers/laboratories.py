"""A laboratory at a tiny random checkpoint with a tiny development set."""

from pathlib import Path

from harness.calibration.context import Laboratory
from harness.models.checkpoint import open_checkpoint
from harness.config.task import load_task
from harness.core.workdir import open_workdir
from tests.helpers.tiny_task import write_tiny_task


def tiny_laboratory(folder: Path, limit: int = 1_000_000) -> Laboratory:
    """Write a tiny task into `folder` and open the laboratory of its one role."""
    task = load_task(str(write_tiny_task(folder, limit)))
    checkpoint = open_checkpoint(task.role("finetuned").path)
    return Laboratory(task, "finetuned", checkpoint, open_workdir(str(folder / "work")))
