"""Registries: named entries of one kind, found by scanning a package and through entry points of installed packages.

A registry imports nothing before it is first searched. Then it imports every module of its package, so that a new entry
needs no edit elsewhere, and every entry point of its group, so that an installed distribution can add entries:

    [project.entry-points."stcompress.systems"]
    my-systems = "my_package.systems"
"""

import difflib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from harness.core.errors import UserError

GROUP_PREFIX = "stcompress"  # first part of the name of every entry-point group
_LISTED = 24  # most names that an error lists
T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A value under its unique name, with the module that registered it and the arguments that reports show."""

    name: str
    value: T
    module: str
    arguments: Mapping[str, object] = field(default_factory=dict)


class Registry(Generic[T]):
    """Entries of one kind by name, in the order of registration; modules are imported in alphabetical order.

    Args:
        kind: singular name of the kind in error messages, e.g. `codec`.
        package: package whose modules register entries, e.g. `harness.compression.codecs`.
        group: last part of the entry-point group, e.g. `codecs`.
        advice: ends the error for an unknown name where a list of all names would be too long.
    """

    def __init__(self, kind: str, package: str, group: str, advice: str = "") -> None:
        self.kind, self.group = kind, f"{GROUP_PREFIX}.{group}"
        self._package, self._advice = package, advice
        self._entries: dict[str, Entry[T]] = {}
        self._scanned = False
        self._failure: UserError | None = None

    def add(self, name: str, value: T, module: str, **arguments: object) -> None:
        """Register a value under a unique name, with the module that registers it and the arguments to record.

        Raises:
            UserError: another module has registered an entry of this name.
        """
        if name in self._entries:
            places = f"in {self._entries[name].module} and in {module}"
            advice = "rename one, or uninstall the package that has it"
            raise UserError(f"Two entries register the {self.kind} {name!r}, {places}: {advice}.")
        self._entries[name] = Entry(name, value, module, arguments)

    def entry(self, name: object) -> Entry[T]:
        """Return an entry by name.

        Raises:
            UserError: there is none; the sentence suggests similar names.
        """
        self._scan()
        if not isinstance(name, str) or name not in self._entries:
            raise UserError(f"No {self.kind} is named {name!r}: {self._hint(str(name))}")
        return self._entries[name]

    def get(self, name: object) -> T:
        """Return a registered value by name; raises as `entry`."""
        return self.entry(name).value

    @property
    def names(self) -> tuple[str, ...]:
        """All registered names."""
        self._scan()
        return tuple(self._entries)

    def __iter__(self) -> Iterator[Entry[T]]:
        self._scan()
        return iter(tuple(self._entries.values()))

    def __contains__(self, name: object) -> bool:
        self._scan()
        return isinstance(name, str) and name in self._entries  # what a file names may not be hashable

    def _hint(self, name: str) -> str:
        similar = difflib.get_close_matches(name, self._entries, n=3)
        if similar:
            return f"did you mean {' or '.join(similar)}?"
        if len(self._entries) > _LISTED and self._advice:
            return self._advice
        return f"there are {', '.join(sorted(self._entries))}."

    def _scan(self) -> None:
        """Import what registers entries, once; what fails is not marked as done, so that it fails again."""
        if self._scanned:
            return
        # A module that failed after it registered something would register it twice if it were imported again.
        if self._failure is not None:
            raise self._failure
        try:
            self._import()
        except UserError as error:
            self._failure = error
            raise
        self._scanned = True

    def _import(self) -> None:
        package = importlib.import_module(self._package)
        for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
            importlib.import_module(f"{self._package}.{module}")
        for point in self._points():
            self._load(point)

    def _points(self) -> list[EntryPoint]:
        return sorted(entry_points(group=self.group), key=lambda point: point.name)

    def _load(self, point: EntryPoint) -> object:
        # The code of an installed distribution may fail in any way; the user can repair or uninstall it.
        try:
            return point.load()
        except UserError:
            raise
        except Exception as error:
            what = f"The installed package {_package(point)} cannot be loaded for its {self.kind} entry point"
            reason = f"{point.name!r} ({type(error).__name__}: {error})"
            raise UserError(f"{what} {reason}: repair or uninstall it.") from error


class TargetRegistry(Registry[EntryPoint]):
    """Entries given by the import path of their value, which is imported when it is loaded and not when it is searched.

    The entries are `targets`, import paths `module:attribute` by name, and the entry points of the group.
    """

    def __init__(self, kind: str, group: str, targets: Mapping[str, str]) -> None:
        super().__init__(kind, "", group)
        for name, target in targets.items():
            self.add(name, EntryPoint(name, target, self.group), target)

    def load(self, name: str, cls: type[V]) -> V:
        """Import the value of an entry, which must be an instance of `cls`.

        Raises:
            UserError: there is no such entry, or an installed package's entry cannot be imported or is not a `cls`.
        """
        # An entry of our own is found without a search through the installed packages, which is slow.
        point = self._entries[name].value if name in self._entries else self.get(name)
        value = self._load(point) if point.dist else point.load()
        if not isinstance(value, cls):
            what = f"The {self.kind} {name!r} of the installed package {_package(point)}"
            found = f"is of type {type(value).__name__} instead of {cls.__name__}"
            raise UserError(f"{what} {found}: repair or uninstall it.")
        return value

    def _import(self) -> None:
        """Register the entry points of installed packages without importing them."""
        for point in self._points():
            self.add(point.name, point, _package(point))


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
