"""A context at a tiny random checkpoint with a tiny development set."""

from pathlib import Path

from harness.calibration.context import MeasurementContext
from harness.config.task import load_task
from harness.core.workdir import open_workdir
from harness.models.checkpoint import open_checkpoint
from tests.helpers.tiny_task import write_tiny_task


def tiny_context(folder: Path, limit: int = 1_000_000) -> MeasurementContext:
    """Write a tiny task into `folder` and open the context of its one role."""
    task = load_task(str(write_tiny_task(folder, limit)))
    checkpoint = open_checkpoint(task.role("finetuned").path)
    return MeasurementContext(task, "finetuned", checkpoint, open_workdir(str(folder / "work")))
