"""harness.core.errors: sentences that reach the user wherever they arise."""

import pickle

import pytest

from harness.core.errors import MissingExtraError, NewerFormatError, UserError


@pytest.mark.parametrize(
    "error", [UserError("One sentence."), MissingExtraError("Fitting", "peft", "finetune"), NewerFormatError("x", 9, 1)]
)
def test_every_mistake_travels_between_processes(error: UserError) -> None:
    """Forbids a mistake that breaks the pool of processes, so that the user reads of a crash."""
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert back.exit_code == 2
