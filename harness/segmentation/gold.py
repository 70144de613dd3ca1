"""Gold segments: the sentence boundaries that come with a test set."""

from typing import TYPE_CHECKING

from harness.core.errors import UserError
from harness.testsets.segments import Segmentation

if TYPE_CHECKING:
    from harness.testsets.testset import TestSet


def gold(test_set: "TestSet") -> Segmentation:
    """Return the segmentation that came with a test set.

    Raises:
        UserError: the set came unsegmented.
    """
    if test_set.gold is None:
        raise UserError(f"Test set {test_set.name!r} came without gold segments: choose another segmentation.")
    return test_set.gold
