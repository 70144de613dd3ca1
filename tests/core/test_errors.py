"""harness.core.errors: errors that are raised in another process."""

import pickle

import pytest

from harness.core.errors import MissingExtraError, NewerFormatError, UserError


@pytest.mark.parametrize(
    "error", [UserError("One sentence."), MissingExtraError("Fitting", "peft", "finetune"), NewerFormatError("x", 9, 1)]
)
def test_errors_can_be_pickled(error: UserError) -> None:
    """Forbids that an error cannot be passed between processes, so that the user sees a crash instead."""
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert back.exit_code == 2
