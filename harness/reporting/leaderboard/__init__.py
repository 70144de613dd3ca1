"""The leaderboard: what every system weighs and reaches, ranked by quality and size; a pure function of its rows."""

from pathlib import Path

from harness.core.files import write_bytes
from harness.evaluation.speed_summary import SpeedSummary
from harness.reporting.leaderboard.export import render_csv, render_json
from harness.reporting.leaderboard.markdown import render_markdown
from harness.reporting.leaderboard.plot import render_png
from harness.reporting.leaderboard.rows import Base, Leaderboard, Row, Section
from harness.reporting.leaderboard.terminal import render_terminal

__all__ = [
    "Base",
    "Leaderboard",
    "Row",
    "Section",
    "SpeedSummary",
    "render_csv",
    "render_json",
    "render_markdown",
    "render_png",
    "render_terminal",
    "write_leaderboard",
]


def write_leaderboard(board: Leaderboard, folder: Path) -> tuple[Path, ...]:
    """Publish `leaderboard.md`, `.csv`, `.json` and `.png`; the same board gives the same bytes.

    Raises:
        UserError: the folder cannot be written.
    """
    files = {
        folder / "leaderboard.md": render_markdown(board).encode(),
        folder / "leaderboard.csv": render_csv(board).encode(),
        folder / "leaderboard.json": render_json(board).encode(),
        folder / "leaderboard.png": render_png(board),
    }
    for path, data in files.items():
        write_bytes(path, data)
    return tuple(files)
