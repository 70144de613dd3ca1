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

GROUP_PREFIX = "stcompress"
"""First part of the name of every entry-point group, e.g. `stcompress.systems`."""
_LISTED = 24
"""Most names that an error lists."""
T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A registered value.

    Attributes:
        name: unique name within its registry.
        value: what was registered.
        module: module that registered it.
        arguments: the arguments with which it was registered, so that reports can show how it was made.
    """

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
        advice: sentence that ends the error for an unknown name where listing all names would be too long.
    """

    def __init__(self, kind: str, package: str, group: str, advice: str = "") -> None:
        self.kind, self.group = kind, f"{GROUP_PREFIX}.{group}"
        self._package, self._advice = package, advice
        self._entries: dict[str, Entry[T]] = {}
        self._scanned = False

    def add(self, name: str, value: T, module: str, **arguments: object) -> None:
        """Register a value.

        Args:
            name: unique name.
            value: what is registered.
            module: module that registers it.
            arguments: recorded in the entry.

        Raises:
            UserError: another module has registered an entry of this name.
        """
        known = self._entries.get(name)
        if known is not None:
            raise UserError(
                f"Two entries register the {self.kind} {name!r}, in {known.module} and in {module}: rename one, "
                "or uninstall the package that has it."
            )
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
        """Return a registered value by name.

        Raises:
            UserError: there is none; the sentence suggests similar names.
        """
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
        return name in self._entries

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
        package = importlib.import_module(self._package)
        for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
            importlib.import_module(f"{self._package}.{module}")
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            self._load(point)
        self._scanned = True

    def _load(self, point: EntryPoint) -> None:
        # The code of an installed distribution may fail in any way; the user can repair or uninstall it.
        try:
            point.load()
        except Exception as error:
            if isinstance(error, UserError):
                raise
            source = point.dist.name if point.dist else point.value
            raise UserError(
                f"The installed package {source} cannot be loaded for its {self.kind} entry point {point.name!r} "
                f"({type(error).__name__}: {error}): repair or uninstall it."
            ) from error
