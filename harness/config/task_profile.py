"""Task profiles as tables: a profile may extend another one and then holds its differences alone."""

from pathlib import Path
from typing import Any

from harness.core import manifests
from harness.core.errors import UserError

FORMAT = 2  # renamed the decoding option `caution` to `guards`, and added `extends`
Table = dict[str, Any]


def read_profile(path: Path, children: tuple[Path, ...] = ()) -> tuple[tuple[Path, Table], ...]:
    """Read a task profile and those that it extends.

    `extends` is the name of a profile, or the path of a .toml file relative to the profile that states it. Tables are
    merged key by key; any other value replaces the inherited one.

    Args:
        path: the profile.
        children: the profiles that extend this one, from the first that was read.

    Returns:
        the profiles, each after the one that it extends, with the merged table.

    Raises:
        UserError: a profile is unreadable or of a newer format, extends itself or a profile that does not exist, or
            has no name of its own.
    """
    if path.resolve() in children:
        chain = " -> ".join(each.name for each in (*children, path))
        raise UserError(f"{path}: profiles extend each other in a cycle ({chain}): remove one `extends`.")
    table = manifests.read_table(path, FORMAT)
    _refuse_renamed(path, table)
    parent = table.pop("extends", None)
    if parent is None:
        return ((path, table),)
    if "name" not in table:
        raise UserError(f"{path} extends {parent!r} and has no name of its own: add a `name`.")
    inherited = read_profile(_parent(path, parent), (*children, path.resolve()))
    return (*inherited, (path, _merge(inherited[-1][1], table)))


def _parent(path: Path, extends: object) -> Path:
    """Return the path of the profile that a profile extends."""
    if not isinstance(extends, str):
        raise UserError(f"{path}: `extends` must be a string, the name or the path of a task profile.")
    if extends.endswith(".toml"):
        parent = path.parent / extends
        if not parent.is_file():
            raise UserError(f"{path} extends {extends!r}, but there is no file {parent}: correct the path.")
        return parent
    if extends not in manifests.names("tasks"):
        what = f"{path} extends {extends!r}, which is not a task profile"
        raise UserError(f"{what}: there are {', '.join(manifests.names('tasks'))}.")
    return manifests.find("tasks", extends)


def _merge(parent: Table, child: Table) -> Table:
    """Return the parent's table with the child's values; tables that both have are merged in the same way."""
    both = {
        key: _merge(parent[key], value) if isinstance(value, dict) and isinstance(parent.get(key), dict) else value
        for key, value in child.items()
    }
    return {**parent, **both}


def _refuse_renamed(path: Path, table: Table) -> None:
    """Refuse the decoding option of format 1 that has another name since format 2."""
    for name, role in _subtable(table, "roles").items():
        if isinstance(role, dict) and "caution" in _subtable(role, "decoding"):
            reason = f"the decoding option `caution` of role {name!r} is called `guards` since task format 2"
            raise UserError(f"{path}: {reason}: rename it, and set format_version to 2.")


def _subtable(table: Table, key: str) -> Table:
    """Return a table inside a table; empty where there is another value, which is refused when it is converted."""
    value = table.get(key)
    return value if isinstance(value, dict) else {}
