"""harness.registry: systems by name."""

import pytest

from harness.errors import UserError
from harness.registry import all_systems, get_system, system
from harness.task import load_task

ISSUE_OF_THE_PAPERS = {
    "fp16-untuned", "fp16-finetuned", "fp16-instruct", "bnb-int8", "hqq8", "hqq4", "hqq3",
    "codec-selected-q3", "codec-selected-q2", "codec-global-q2",
}  # fmt: skip


def test_the_papers_systems_are_registered() -> None:
    """Forbids losing a system that a paper reports."""
    assert {entry.name for entry in all_systems()} >= ISSUE_OF_THE_PAPERS


def test_every_role_exists_in_every_profile() -> None:
    """Forbids a system that no profile has a checkpoint for."""
    for name in ("demo", "iwslt2026-4gb", "iwslt2026-4gib"):
        assert {entry.role for entry in all_systems()} <= set(load_task(name).roles)


def test_an_unknown_system_suggests_the_nearest() -> None:
    """Forbids an error without a next step."""
    with pytest.raises(UserError, match="did you mean hqq4"):
        get_system("hqq44")
    with pytest.raises(UserError, match="harness list"):
        get_system("zzz")


def test_a_name_is_taken_once() -> None:
    """Forbids that one paper's module silently replaces another's system."""
    all_systems()
    with pytest.raises(ValueError, match="twice"):
        system("hqq4", role="finetuned", source="here")(get_system("hqq4").recipe)
