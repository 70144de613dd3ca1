"""The order of builds: which systems can be built in parallel, and which wait for what another one makes."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from harness.compression.measurement_request import MeasurementRequest
from harness.compression.registry import System


@dataclass(frozen=True)
class BuildStep:
    """A system in the order of builds, and the places (all smaller) of the systems that must be built before it."""

    system: System
    after: frozenset[int]


def schedule(systems: Sequence[System]) -> tuple[BuildStep, ...]:
    """Return an order of builds in which no measurement is made twice unless it fails.

    A system waits for the systems on which its measurements are made, and for the first system that makes a measurement
    which both need. Of the systems that are ready, those that others wait for come first, and then those that take
    longest, so that no core is idle at the end.
    """
    waits = _waits(systems)
    needed = {name for names in waits.values() for name in names}
    effort = {system.name: sum(request.effort for request in _needs(system)) for system in systems}
    ranked = sorted(systems, key=lambda system: (system.name in needed, effort[system.name]), reverse=True)
    rank = {system.name: place for place, system in enumerate(ranked)}
    places: dict[str, int] = {}
    sorter = TopologicalSorter(waits)
    sorter.prepare()
    ready: list[int] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, rank[name])
        name = ranked[heapq.heappop(ready)].name
        places[name] = len(places)
        sorter.done(name)
    return tuple(BuildStep(ranked[rank[name]], frozenset(places[other] for other in waits[name])) for name in places)


def _waits(systems: Sequence[System]) -> dict[str, set[str]]:
    """Return the names of the systems that each system waits for.

    A shared measurement is assigned to the first system in a topological order, so that no cycle arises.
    """
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
