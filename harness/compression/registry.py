"""The registry of systems: the builders of all papers by name.

Systems are found by scanning the package `systems`, and through entry points in the group `stcompress.systems`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.compression.recipe import Recipe, SmallestThatFits
from harness.core.registry import Registry

AnyRecipe = Recipe | SmallestThatFits


@dataclass(frozen=True)
class System:
    """A registered builder.

    Attributes:
        role: which checkpoint it compresses: untuned, finetuned or instruct.
        source: the paper's description of it, e.g. `Diet-KIT table 1, row 4`.
        summary: first line of the docstring of the function that returns the recipe.
    """

    name: str
    role: str
    source: str
    recipe: Callable[[], AnyRecipe]
    summary: str


SYSTEMS: Registry[System] = Registry("system", "systems", "systems", advice="`harness list` shows all of them.")
F = TypeVar("F", bound=Callable[[], AnyRecipe])


def system(name: str, role: str, source: str) -> Callable[[F], F]:
    """Register the decorated function as the builder `name`.

    The other arguments are those of `System`.

    Raises:
        UserError: the name is registered already.
    """

    def register(function: F) -> F:
        summary = (function.__doc__ or name).strip().splitlines()[0]
        entry = System(name, role, source, function, summary)
        SYSTEMS.add(name, entry, function.__module__, role=role, source=source)
        return function

    return register


def all_systems() -> tuple[System, ...]:
    """Return all systems in the order of registration."""
    return tuple(entry.value for entry in SYSTEMS)


def get_system(name: str) -> System:
    """Return a system by name.

    Raises:
        UserError: no system has this name; the message suggests similar ones.
    """
    return SYSTEMS.get(name)
