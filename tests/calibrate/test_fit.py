"""harness.calibration.size_search: the smallest number that fits, by the scales."""

from pathlib import Path

import pytest

from harness.calibration.size_search import Fit
from harness.calibration.context import Laboratory
from harness.compression.codecs import Hqq
from harness.core.errors import UserError
from harness.compression.recipe import Recipe, SmallestThatFits, rule
from harness.compression.registry import System
from harness.compression.selectors import LINEAR, MLP, first
from tests.helpers.laboratories import tiny_laboratory


def family(count: int) -> Recipe:
    """Everything at 8 bits, the first MLPs at 1."""
    coarse = [rule(MLP & first(count), Hqq(1))] if count else []
    return Recipe(*coarse, rule(LINEAR, Hqq(8)))


def fitting(laboratory: Laboratory) -> System:
    """A system whose number is open."""
    return System("fits", laboratory.role_name, "a test", lambda: SmallestThatFits(family), "Fits.")


def weigh(laboratory: Laboratory, count: int) -> int:
    """Bytes of the directory of the member `count`."""
    from harness.compression.build import build
    from harness.compression.plan import resolve

    plan = resolve("fits", family(count), laboratory.checkpoint.specs)
    artifact = build(laboratory.checkpoint, plan, laboratory.role_name, laboratory.workdir)
    return sum(path.stat().st_size for path in artifact.path.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    laboratory = tiny_laboratory(tmp_path_factory.mktemp("sizes"))
    return [weigh(laboratory, count) for count in range(3)]


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_the_smallest_number_that_fits_is_chosen(tmp_path: Path, sizes: list[int], wanted: int) -> None:
    """Forbids a number that is too large or too small by one: the limit is one byte above what the member weighs."""
    laboratory = tiny_laboratory(tmp_path, limit=sizes[wanted] + 1)
    plan = laboratory.plan(fitting(laboratory))
    assert len({row.tensor.layer for row in plan.assignments if row.codec == Hqq(1)}) == wanted


def test_a_strict_limit_is_not_met_by_equality(tmp_path: Path, sizes: list[int]) -> None:
    """Forbids an artifact that weighs exactly a strict limit."""
    laboratory = tiny_laboratory(tmp_path, limit=sizes[1])
    found = Fit("fits", SmallestThatFits(family)).measure(laboratory)
    assert found.count == 2
    assert [each.bytes for each in found.weighed[-2:]] == sizes[1:]


def test_a_limit_that_no_member_keeps_is_one_sentence(tmp_path: Path) -> None:
    """Forbids an artifact over the limit under a name that promises to fit."""
    laboratory = tiny_laboratory(tmp_path, limit=1000)
    with pytest.raises(UserError, match="keeps the limit of 1,000 bytes"):
        laboratory.plan(fitting(laboratory))


def test_the_choice_is_measured_once(tmp_path: Path, sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids building the members again when the number is known."""
    laboratory = tiny_laboratory(tmp_path, limit=sizes[1] + 1)
    plan = laboratory.plan(fitting(laboratory))
    monkeypatch.setattr("harness.calibration.size_search.build", None)
    assert laboratory.plan(fitting(laboratory)) == plan
