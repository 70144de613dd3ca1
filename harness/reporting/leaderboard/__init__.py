"""The leaderboard: size, scores and speed of every system, ranked by quality and size; a pure function of its rows."""

from pathlib import Path

from harness.core.files import write_bytes
from harness.evaluation.speed_summary import SpeedSummary
from harness.reporting.leaderboard.export import render_csv, render_json
from harness.reporting.leaderboard.markdown import render_markdown
from harness.reporting.leaderboard.plot import render_png
from harness.reporting.leaderboard.rows import Base, Leaderboard, Row, Section
from harness.reporting.leaderboard.terminal import render_terminal

__all__ = ["Base", "Leaderboard", "Row", "Section", "SpeedSummary", "write_leaderboard"]
__all__ += ["render_csv", "render_json", "render_markdown", "render_png", "render_terminal"]


def write_leaderboard(board: Leaderboard, folder: Path) -> tuple[Path, ...]:
    """Publish `leaderboard.md`, `.csv`, `.json` and `.png`; the same board gives the same bytes.

    Raises:
        UserError: the folder cannot be written.
    """
    texts = {"md": render_markdown(board), "csv": render_csv(board), "json": render_json(board)}
    files = {ending: text.encode() for ending, text in texts.items()} | {"png": render_png(board)}
    for ending, data in files.items():
        write_bytes(folder / f"leaderboard.{ending}", data)
    return tuple(folder / f"leaderboard.{ending}" for ending in files)
