"""Ranks and the Pareto frontier of the systems of one table; quality and size are compared exactly.

- A *dominates* B when A is at least as good and at least as small as B, and strictly better in one of the two.
- The *frontier* holds the systems that no other dominates. Two systems that are equal in both are both on it.
- The *rank* of a system is 1 plus the number of systems of higher quality, or of equal quality and smaller size.
  Systems equal in both share a rank, and the next rank is skipped (1, 2, 2, 4).
- The *size rank* is 1 plus the number of smaller systems.
- A system whose quality was not measured has a size rank, but neither a rank nor a place on the frontier, and
  dominates none.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """Quality (higher is better; None when not measured) and size in bytes of a system."""

    quality: float | None
    size: int


@dataclass(frozen=True)
class Place:
    """The ranks of a system, and whether it is on the frontier; `rank` is None when quality was not measured."""

    rank: int | None
    size_rank: int
    pareto: bool


def places(points: Sequence[Point]) -> tuple[Place, ...]:
    """Return the place of every point, in the order of the points."""
    return tuple(_place(point, points) for point in points)


def _place(point: Point, points: Sequence[Point]) -> Place:
    size_rank = 1 + sum(other.size < point.size for other in points)
    if point.quality is None:
        return Place(None, size_rank, pareto=False)
    here = (-point.quality, point.size)
    ahead = sum(other.quality is not None and (-other.quality, other.size) < here for other in points)
    return Place(1 + ahead, size_rank, pareto=not any(_dominates(other, point) for other in points))


def _dominates(one: Point, other: Point) -> bool:
    if one.quality is None or other.quality is None:
        return False
    as_good = one.quality >= other.quality and one.size <= other.size
    return as_good and (one.quality > other.quality or one.size < other.size)
