"""The manifests: where they are, and how they are read from TOML."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.core.errors import UserError, check_format
from harness.core.files import read_bounded

T = TypeVar("T")


class ManifestTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every table of a manifest. Unknown keys are refused: a misspelt key must not fall back to a default."""


_PACKAGE = Path(__file__).parents[1]
_CLONED = _PACKAGE.parent / "data" / "manifests"


def root() -> Path:
    """Return the folder of the manifests: beside the sources in a clone, inside the package in a wheel."""
    return _CLONED if _CLONED.is_dir() else _PACKAGE / "manifests"


def data_root() -> Path:
    """Return the folder to which relative paths in manifests refer: the clone, or the current folder for a wheel."""
    return _PACKAGE.parent if _CLONED.is_dir() else Path.cwd()


def find(kind: str, name: str) -> Path:
    """Return the manifest `name` of a kind (`tasks`, `testsets`, ...); the path of a .toml file is returned unchanged.

    Raises:
        UserError: there is no such manifest; the sentence lists those that exist.
    """
    if name.endswith(".toml"):
        return Path(name)
    path = root() / kind / f"{name}.toml"
    if not path.is_file():
        raise UserError(f"No manifest named {name!r} among {kind}: there are {', '.join(names(kind))}.")
    return path


def names(kind: str) -> list[str]:
    """Return the names of all manifests of a kind, sorted."""
    return sorted(path.stem for path in (root() / kind).glob("*.toml"))


def read_toml(path: Path, cls: type[T], known_format: int) -> T:
    """Read a TOML manifest into a struct.

    Raises:
        UserError: as `read_table` and `convert_table`.
    """
    return convert_table(path, read_table(path, known_format), cls)


def read_table(path: Path, known_format: int) -> dict[str, Any]:
    """Read a TOML manifest as a table, without its `format_version`.

    Raises:
        UserError: the file is missing, not TOML, or of a newer format.
    """
    try:
        table = tomllib.loads(read_bounded(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from error
    check_format(str(path), table.pop("format_version", None), known_format)
    return table


def convert_table(path: Path, table: dict[str, Any], cls: type[T]) -> T:
    """Convert the table of a manifest to a struct.

    Raises:
        UserError: a field is missing, unknown or of a wrong type.
    """
    try:
        return msgspec.convert(table, cls)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}.") from error
