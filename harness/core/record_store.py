"""Stored measurements: one JSON file per content key."""

from pathlib import Path
from typing import TypeVar

import msgspec

from harness.core.errors import UserError, check_format
from harness.core.files import read_json, write_json

FORMAT = 1
T = TypeVar("T")


def read_measurement(path: Path, cls: type[T]) -> T | None:
    """Return a stored measurement, or None when there is none yet.

    Raises:
        UserError: the file is of a newer format or is damaged.
    """
    if not path.is_file():
        return None
    value = read_json(path)
    check_format(str(path), value.get("format_version") if isinstance(value, dict) else None, FORMAT)
    try:
        return msgspec.convert(value, cls)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} cannot be read ({error}): remove it and measure again.") from error


def write_measurement(path: Path, value: msgspec.Struct) -> None:
    """Publish a measurement."""
    write_json(path, value)
