"""Where the manifests lie, and how a TOML manifest is read."""

import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.core.errors import UserError, check_format
from harness.core.files import read_bounded

T = TypeVar("T")


class ManifestTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every table of a manifest. Unknown keys are refused: a misspelt key must not fall back to a default."""


_PACKAGE = Path(__file__).parents[1]


def root() -> Path:
    """Return the folder of the manifests: beside the sources in a clone, inside the package in a wheel."""
    clone = _PACKAGE.parent / "data" / "manifests"
    return clone if clone.is_dir() else _PACKAGE / "manifests"


def data_root() -> Path:
    """Return the folder against which relative paths in manifests are read: the clone, or the current folder."""
    clone = _PACKAGE.parent
    return clone if (clone / "data" / "manifests").is_dir() else Path.cwd()


def find(kind: str, name: str) -> Path:
    """Return the manifest `name` of a kind (`tasks`, `testsets`, ...); a path to a .toml file is taken as it is.

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
        UserError: missing, not TOML, of a newer format, or with a field that is missing, unknown or of a wrong type.
    """
    try:
        value = tomllib.loads(read_bounded(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from error
    check_format(str(path), value.pop("format_version", None), known_format)
    try:
        return msgspec.convert(value, cls)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}.") from error
