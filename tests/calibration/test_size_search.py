"""harness.calibration.size_search against the measured sizes of all members."""

from pathlib import Path

import pytest

from harness.calibration.context import MeasurementContext
from harness.calibration.size_search import SizeSearch
from harness.calibration.system_artifacts import plan_system
from harness.compression.build import build
from harness.compression.codecs import Hqq
from harness.compression.plan import resolve
from harness.compression.recipe import Recipe, SmallestThatFits, rule
from harness.compression.registry import System
from harness.compression.selectors import LINEAR, MLP, first
from harness.core.errors import UserError
from tests.helpers.contexts import tiny_context


def family(count: int) -> Recipe:
    """Return a recipe with 8 bits, and 1 bit for the first MLPs."""
    coarse = [rule(MLP & first(count), Hqq(1))] if count else []
    return Recipe(*coarse, rule(LINEAR, Hqq(8)))


def fitting(context: MeasurementContext) -> System:
    """Return a system that searches a number."""
    return System("fits", context.role_name, "a test", lambda: SmallestThatFits(family), "Fits.")


def weigh(context: MeasurementContext, count: int) -> int:
    """Return the bytes of the directory of a member."""
    plan = resolve("fits", family(count), context.checkpoint.specs)
    artifact = build(context.checkpoint, plan, context.role_name, context.workdir)
    return sum(path.stat().st_size for path in artifact.path.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    context = tiny_context(tmp_path_factory.mktemp("sizes"))
    return [weigh(context, count) for count in range(3)]


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_the_smallest_number_that_fits_is_chosen(tmp_path: Path, sizes: list[int], wanted: int) -> None:
    """Forbids a number that is too large or too small by one: the limit is one byte above the member's size."""
    context = tiny_context(tmp_path, limit=sizes[wanted] + 1)
    plan = plan_system(context, fitting(context))
    assert len({row.tensor.layer for row in plan.assignments if row.codec == Hqq(1)}) == wanted


def test_a_strict_limit_is_not_met_by_equality(tmp_path: Path, sizes: list[int]) -> None:
    """Forbids an artifact whose size equals a strict limit."""
    context = tiny_context(tmp_path, limit=sizes[1])
    found = SizeSearch("fits", SmallestThatFits(family)).measure(context)
    assert found.count == 2
    assert [each.bytes for each in found.built[-2:]] == sizes[1:]


def test_a_limit_that_no_member_keeps_is_one_sentence(tmp_path: Path) -> None:
    """Forbids an artifact over the limit."""
    context = tiny_context(tmp_path, limit=1000)
    with pytest.raises(UserError, match="within the limit of 1,000 bytes"):
        plan_system(context, fitting(context))


def test_the_choice_is_measured_once(tmp_path: Path, sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids building the members again when the number is known."""
    context = tiny_context(tmp_path, limit=sizes[1] + 1)
    plan = plan_system(context, fitting(context))
    monkeypatch.setattr("harness.calibration.size_search.build", None)
    assert plan_system(context, fitting(context)) == plan
