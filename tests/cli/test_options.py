"""harness.cli.options: sizes as people write them."""

import pytest

from harness.cli.options import parse_bytes
from harness.core.errors import UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4000000000", 4e9), ("4_000_000_000", 4e9), ("4GB", 4e9), ("4 GiB", 4 * 2**30), ("1.5kib", 1536)],
)
def test_sizes_with_units(text: str, expected: float) -> None:
    """Forbids mixing up decimal and binary units."""
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "-1", "0", "4 gigs", "1e9", "4,0GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """Forbids guessing at a limit."""
    with pytest.raises(UserError, match="is no size"):
        parse_bytes(text)
