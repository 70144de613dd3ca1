"""harness.cli.options: the sizes that `--limit` takes."""

import pytest

from harness.cli.options import parse_bytes
from harness.core.errors import UserError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4000000000", 4e9), ("4_000_000_000", 4e9), ("4GB", 4e9), ("4 GiB", 4 * 2**30), ("1.5kib", 1536)],
)
def test_sizes_with_units(text: str, expected: float) -> None:
    """Forbids that decimal and binary units are confused."""
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "-1", "0", "4 gigs", "1e9", "4,0GB"])
def test_other_texts_are_refused(text: str) -> None:
    """Forbids a limit that the user did not clearly state."""
    with pytest.raises(UserError, match="is not a valid size"):
        parse_bytes(text)
