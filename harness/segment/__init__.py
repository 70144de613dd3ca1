"""Segmenting: how recordings are cut into the stretches that are translated one by one."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.segment.base import Segmentation
from harness.segment.gold import gold

if TYPE_CHECKING:
    from harness.testset import TestSet

METHODS: dict[str, Callable[["TestSet"], Segmentation]] = {"gold": gold}
"""Every way to segment a test set, by the name that a task uses."""


def segment(test_set: "TestSet", method: str) -> Segmentation:
    """Segment a test set.

    Raises:
        UserError: the method is unknown, or does not suit this test set.
    """
    if method not in METHODS:
        raise UserError(f"No segmentation is named {method!r}: there are {', '.join(METHODS)}.")
    return METHODS[method](test_set)
