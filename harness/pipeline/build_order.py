"""Which systems can be built side by side: those that wait for no measurement and no artifact of another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from harness.compression.measurement_request import MeasurementRequest
from harness.compression.registry import System


@dataclass(frozen=True)
class BuildStep:
    """A system in the order of building.

    Attributes:
        system: what is built.
        after: places in the order of the systems that must be built before it; all of them are smaller than its own.
    """

    system: System
    after: frozenset[int]


def schedule(systems: Sequence[System]) -> tuple[BuildStep, ...]:
    """Return an order in which no measurement is made twice unless it fails, with what each system waits for.

    A system waits for those that its measurements are made on, and for the first one that makes a measurement which it
    shares. What others wait for comes first, and then what takes longest, so that no core is idle in the end.
    """
    waits = _waits(systems)
    wanted = {name for names in waits.values() for name in names}
    ranked = sorted(systems, key=lambda system: (system.name in wanted, _effort(system)), reverse=True)
    places: dict[str, int] = {}
    ordered: list[System] = []
    while len(ordered) < len(ranked):
        ready = next(each for each in ranked if each.name not in places and waits[each.name] <= places.keys())
        places[ready.name] = len(ordered)
        ordered.append(ready)
    return tuple(BuildStep(system, frozenset(places[name] for name in waits[system.name])) for system in ordered)


def _waits(systems: Sequence[System]) -> dict[str, set[str]]:
    """Return the names that each system waits for; whoever others measure on comes first, so nobody waits in a ring."""
    by_name = {system.name: system for system in systems}
    built = {
        system.name: {name for request in _needs(system) for name in request.systems} & by_name.keys()
        for system in systems
    }
    makers: dict[object, str] = {}
    waits: dict[str, set[str]] = {}
    for name in TopologicalSorter(built).static_order():
        made_by = {makers.setdefault(request, name) for request in _needs(by_name[name])}
        waits[name] = (made_by | built[name]) - {name}
    return waits


def _needs(system: System) -> tuple[MeasurementRequest[Any], ...]:
    return system.recipe().needs


def _effort(system: System) -> float:
    return sum(request.effort for request in _needs(system))
