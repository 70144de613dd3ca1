"""The leaderboard for other programs: CSV and JSON, with exact values."""

import csv
import io
import json

import msgspec

from harness.reporting.leaderboard.columns import Column, columns, missing
from harness.reporting.leaderboard.means import means
from harness.reporting.leaderboard.rows import Leaderboard, Standing, standings

FORMAT = 1
_NOT_MEASURED = "not measured"


def render_csv(board: Leaderboard) -> str:
    """Return every table as one CSV: exact values, `not measured` where there is none, Pareto as yes or no."""
    shown = columns(board)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["direction", "test_set", *(column.key for column in shown), "fp16_base", "artifact"])
    for section in (*means(board.sections), *board.sections):
        for standing in standings(section, board.quality):
            base = standing.row.base.system if standing.row.base else _NOT_MEASURED
            exact = [_exact(column, standing, missing(column, board, section, _NOT_MEASURED)) for column in shown]
            writer.writerow([section.direction, section.test_set, *exact, base, standing.row.artifact])
    return out.getvalue()


def _exact(column: Column, standing: Standing, absent: str) -> str:
    if column.key == "pareto":
        return "yes" if standing.place.pareto else "no"
    value = column.value(standing)
    return absent if value is None else str(value)


def render_json(board: Leaderboard) -> str:
    """Return the board with its means and places as JSON; what was not measured is null."""
    sections = [
        {
            **{name: getattr(section, name) for name in ("direction", "test_set", "left_out")},
            "standings": standings(section, board.quality),
        }
        for section in (*means(board.sections), *board.sections)
    ]
    value = {name: getattr(board, name) for name in ("task", "title", "limit")}
    value |= {"format_version": FORMAT, "metrics": board.metric_names, "sections": sections}
    plain = msgspec.to_builtins(value)
    return json.dumps(plain, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
