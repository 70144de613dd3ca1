"""Ranks and the Pareto frontier, by hand."""

from hypothesis import given
from hypothesis import strategies as st

from harness.reporting.leaderboard.frontier import Place, Point, places

POINTS = st.lists(st.builds(Point, st.none() | st.integers(0, 5).map(float), st.integers(1, 5)), max_size=12)


def test_ranks_and_frontier_by_hand() -> None:
    """Forbids other ranks than those counted on paper for six systems with ties in quality and in size."""
    found = places(
        [
            Point(30.0, 800),  # best, but tied in quality with a smaller one
            Point(30.0, 500),  # best and smaller: first
            Point(28.0, 350),
            Point(28.0, 350),  # equal in both: shares rank and frontier
            Point(20.0, 400),  # dominated by 28.0 at 350
            Point(None, 100),  # smallest, not measured
        ]
    )
    assert found == (
        Place(2, 6, pareto=False),
        Place(1, 5, pareto=True),
        Place(3, 2, pareto=True),
        Place(3, 2, pareto=True),
        Place(5, 4, pareto=False),
        Place(None, 1, pareto=False),
    )


def test_a_system_alone_is_first_and_on_the_frontier() -> None:
    """Forbids that a system is compared with itself."""
    assert places([Point(0.0, 5)]) == (Place(1, 1, pareto=True),)


def test_unmeasured_quality_is_not_zero() -> None:
    """Forbids that a system without a score is ranked as if it had reached nothing, or pushes others down."""
    assert places([Point(None, 1), Point(0.0, 2)])[1] == Place(1, 2, pareto=True)


@given(POINTS)
def test_every_measured_system_off_the_frontier_is_beaten_by_one_on_it(points: list[Point]) -> None:
    """Forbids a frontier that leaves out the reason why somebody is not on it."""
    found = places(points)
    frontier = [p for p, place in zip(points, found, strict=True) if place.pareto]
    for point, place in zip(points, found, strict=True):
        beaten = point.quality is not None and any(
            member != point and (member.quality or 0) >= point.quality and member.size <= point.size
            for member in frontier
        )
        assert beaten == (point.quality is not None and not place.pareto)
