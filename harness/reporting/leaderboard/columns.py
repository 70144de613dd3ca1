"""The columns of the leaderboard: header, source of the value, and format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.evaluation.speed_summary import SpeedSummary
from harness.reporting.leaderboard.rows import Leaderboard, Section, Standing
from harness.scoring.metric import Scale

Value = str | int | float | None
NO_REFERENCE = "no reference"  # printed in place of a score where a test set has no references; never 0
_GB = 10**9


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        header: title with the unit.
        key: name in the CSV file.
        value: the exact value of a row; None when it was not measured.
        form: format specification of the printed value.
        short: header in the terminal's narrower table; empty to omit the column there.
    """

    header: str
    key: str
    value: Callable[[Standing], Value]
    form: str
    short: str = ""

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers, which are aligned at the right."""
        return self.form != "s"

    def text(self, standing: Standing, missing: str) -> str:
        """Return the printed value, or `missing` when it was not measured."""
        value = self.value(standing)
        return missing if value is None else format(value, self.form)


def missing(column: Column, board: Leaderboard, section: Section, otherwise: str) -> str:
    """Return the text of a cell without a value: why there is no score, or `otherwise`."""
    return NO_REFERENCE if column.key in board.metric_names and not section.has_references else otherwise


def columns(board: Leaderboard) -> tuple[Column, ...]:
    """Return the columns of a board, in order."""
    return (
        Column("rank", "rank", lambda s: s.place.rank, "d", "rank"),
        Column("★", "pareto", lambda s: "★" if s.place.pareto else "", "s", "★"),
        Column("system", "system", lambda s: s.row.system, "s", "system"),
        Column("role", "role", lambda s: s.row.role, "s"),
        *map(_metric, board.metrics),
        *_tests(board),
        *_flags(board),
        *_sizes(board),
        *_speeds(),
        Column("source", "source", lambda s: s.row.source, "s"),
    )


def _metric(scale: Scale) -> Column:
    header = f"{scale.name} ({scale.unit})"
    return Column(header, scale.name, lambda s: s.row.value(scale.name), scale.form, scale.short or scale.name)


def _tests(board: Leaderboard) -> tuple[Column, ...]:
    """Return cluster and interval of the ranking metric, where any row has them."""
    if not any(row.interval for section in board.sections for row in section.rows):
        return ()
    low, high, form = f"{board.quality.name} 95 % from", f"{board.quality.name} 95 % to", board.quality.form
    return (
        Column("cluster", "cluster", lambda s: s.row.cluster, "d", "cluster"),
        Column(low, "interval_low", lambda s: s.row.interval.low if s.row.interval else None, form),
        Column(high, "interval_high", lambda s: s.row.interval.high if s.row.interval else None, form),
    )


def _flags(board: Leaderboard) -> tuple[Column, ...]:
    """Return the column of suspicious translations, where any row was checked for them."""
    if not any(row.flags is not None for section in board.sections for row in section.rows):
        return ()
    return (Column("flags", "flags", lambda s: None if s.row.flags is None else counted(s.row.flags), "s", "flags"),)


def counted(flags: Mapping[str, int]) -> str:
    """Return `3 cut, 1 repeats`, or `none`."""
    return ", ".join(f"{count} {flag}" for flag, count in flags.items() if count) or "none"


def _sizes(board: Leaderboard) -> tuple[Column, ...]:
    form = ".3f" if board.limit.bytes >= _GB else ".6f"
    return (
        Column("bytes", "bytes", lambda s: s.row.bytes, ",d", "bytes"),
        Column("GB", "gb", lambda s: s.row.bytes / _GB, form),
        Column("GiB", "gib", lambda s: s.row.bytes / 2**30, form),
        Column("weights only (bytes)", "weights_bytes", lambda s: s.row.weights_bytes, ",d"),
        Column("limit", "limit", lambda s: "PASS" if s.row.fits else "FAIL", "s", "limit"),
        Column("fp16 / size", "ratio_to_fp16", lambda s: s.row.ratio, ".2f", "fp16/size"),
        Column("size rank", "size_rank", lambda s: s.place.size_rank, "d"),
    )


def _speeds() -> tuple[Column, ...]:
    def column(header: str, key: str, pick: Callable[[SpeedSummary], float | None], form: str, short: str) -> Column:
        return Column(header, key, lambda s: None if s.row.speed is None else pick(s.row.speed), form, short)

    return (
        column("s/item (batch 1)", "seconds_per_item", lambda speed: speed.seconds_per_item, ".3f", "s/item"),
        column("segments/s", "segments_per_second", lambda speed: speed.segments_per_second, ".2f", "seg/s"),
        column("peak memory (MiB)", "peak_mib", lambda speed: speed.peak_mib, ",.0f", "MiB"),
    )
