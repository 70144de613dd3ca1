"""The registry of systems: every builder of every paper, found by name."""

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.compression.recipe import Recipe, SmallestThatFits
from harness.core.errors import UserError

AnyRecipe = Recipe | SmallestThatFits


@dataclass(frozen=True)
class System:
    """A registered builder.

    Attributes:
        name: how users call it.
        role: which checkpoint it compresses: untuned, finetuned or instruct.
        source: where the paper describes it, e.g. `Diet-KIT table 1, row 4`.
        recipe: function that returns the recipe.
        summary: first line of that function's docstring.
    """

    name: str
    role: str
    source: str
    recipe: Callable[[], AnyRecipe]
    summary: str


_SYSTEMS: dict[str, System] = {}


F = TypeVar("F", bound=Callable[[], AnyRecipe])


def system(name: str, role: str, source: str) -> Callable[[F], F]:
    """Register the decorated function as the builder `name`.

    Args:
        name: unique name; registering it twice is a bug.
        role: untuned, finetuned or instruct.
        source: paper and section or row.
    """

    def register(function: F) -> F:
        if name in _SYSTEMS:
            raise ValueError(f"system {name!r} is registered twice")
        summary = (function.__doc__ or "").strip().splitlines()[0]
        _SYSTEMS[name] = System(name, role, source, function, summary)
        return function

    return register


def all_systems() -> tuple[System, ...]:
    """Import every module of the package `systems` and return what they register, in order of registration."""
    package = importlib.import_module("systems")
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"systems.{module}")
    return tuple(_SYSTEMS.values())


def get_system(name: str) -> System:
    """Return a system by name.

    Raises:
        UserError: there is none; the sentence suggests the nearest names.
    """
    known = {entry.name: entry for entry in all_systems()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`harness list` shows all of them."
        raise UserError(f"No system is named {name!r}: {hint}")
    return known[name]
