"""Unweighted means over directions."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from harness.evaluation.speed_summary import SpeedSummary
from harness.reporting.leaderboard.rows import Row, Section
from harness.scoring.metric import Score


def means(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Return one section per test set that was translated in several directions, with the unweighted means.

    A number is averaged only when it was measured in every direction: a mean over fewer would favour a system for
    which the harder one is missing. Systems without the same artifact in every direction are named in `left_out`.
    """
    names = dict.fromkeys(section.test_set for section in sections)
    groups = [[section for section in sections if section.test_set == name] for name in names]
    return tuple(_mean_section(group) for group in groups if len(group) > 1)


def _mean_section(sections: Sequence[Section]) -> Section:
    title = f"mean of {', '.join(section.direction for section in sections)}"
    by_artifact: dict[tuple[str, str], list[Row]] = {}
    for row in (row for section in sections for row in section.rows):
        by_artifact.setdefault((row.system, row.artifact), []).append(row)
    complete = [rows for rows in by_artifact.values() if len(rows) == len(sections)]
    left_out = {system for system, _ in by_artifact} - {rows[0].system for rows in complete}
    rows = tuple(_mean_row(rows, title) for rows in complete)
    return Section(title, sections[0].test_set, rows, tuple(sorted(left_out)))


def _mean_row(rows: Sequence[Row], signature: str) -> Row:
    averaged = [_mean_score([row.score(score.metric) for row in rows], signature) for score in rows[0].scores]
    scores = tuple(score for score in averaged if score is not None)
    speed, flags = _mean_speed([row.speed for row in rows], signature), _sum_of_flags(rows)
    # Clusters and intervals belong to one test set in one direction.
    return msgspec.structs.replace(rows[0], scores=scores, speed=speed, cluster=None, interval=None, flags=flags)


def _sum_of_flags(rows: Sequence[Row]) -> dict[str, int] | None:
    """Count over all directions; None where one of them was not checked."""
    total: Counter[str] = Counter()
    for row in rows:
        if row.flags is None:
            return None
        total.update(row.flags)
    return dict(total)


def _mean_score(scores: Sequence[Score | None], signature: str) -> Score | None:
    found = [score for score in scores if score is not None]
    if len(found) < len(scores):
        return None
    value, segments = sum(score.value for score in found) / len(found), sum(score.segments for score in found)
    return msgspec.structs.replace(found[0], value=value, signature=signature, segments=segments)


def _mean_speed(speeds: Sequence[SpeedSummary | None], signature: str) -> SpeedSummary | None:
    """Average seconds and throughput; of the peaks return the highest, the memory that a machine must have."""
    found = [speed for speed in speeds if speed is not None]
    if len(found) < len(speeds):
        return None
    peaks = _complete([speed.peak_mib for speed in found])
    return SpeedSummary(
        seconds_per_item=_mean([speed.seconds_per_item for speed in found]),
        segments_per_second=_mean([speed.segments_per_second for speed in found]),
        peak_mib=max(peaks) if peaks else None,
        signature=signature,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    measured = _complete(values)
    return sum(measured) / len(measured) if measured else None


def _complete(values: Sequence[float | None]) -> list[float]:
    """Return the values when every one was measured, else none of them."""
    measured = [value for value in values if value is not None]
    return measured if len(measured) == len(values) else []
