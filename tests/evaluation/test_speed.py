"""harness.evaluation.speed: what is observed, never how fast it must be."""

import sys

import pytest

from harness.core.workdir import WorkDir
from harness.evaluation.speed import SEGMENTS, SpeedMeasurement, speed
from tests.helpers.tiny_engine import Counting, load_engine, no_engine, request_for, tiny_artifact, tiny_test_set


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpeedMeasurement, SpeedMeasurement]:
    """A measurement, and what is read back of it without a model."""
    folder = tmp_path_factory.mktemp("under_test")
    artifact = tiny_artifact(folder)
    request = request_for(artifact, tiny_test_set(folder, per_talk=4))
    loader = Counting(load_engine(artifact))
    first = speed(request, WorkDir(folder / "work"), loader)
    assert loader.calls == 1
    return first, speed(request, WorkDir(folder / "work"), no_engine)


def test_the_first_segments_are_timed_one_by_one(measured: tuple[SpeedMeasurement, SpeedMeasurement]) -> None:
    """Forbids that another number of segments is timed than is said, or that a time is made up."""
    first, again = measured
    assert len(first.seconds) == len(first.tokens) == SEGMENTS == 4
    assert all(seconds > 0 for seconds in first.seconds)
    assert first.seconds_per_item == pytest.approx(sum(first.seconds) / 4)
    assert again == first


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_peak_memory_is_that_of_a_process_with_torch(measured: tuple[SpeedMeasurement, SpeedMeasurement]) -> None:
    """Forbids kilobytes taken for bytes: Python with torch needs more than 50 MiB, and this test less than 8 GiB."""
    peak = measured[0].peak_memory
    assert peak is not None
    assert 50 * 2**20 < peak < 8 * 2**30
