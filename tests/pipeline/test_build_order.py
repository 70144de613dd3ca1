"""harness.pipeline.build_order: which systems wait for which."""

from harness.calibration import Awq, Prompts, Sensitivity, least_sensitive
from harness.compression.codecs import Hqq
from harness.compression.recipe import Recipe, rule
from harness.compression.registry import System, all_systems, get_system
from harness.compression.selectors import LINEAR, MLP
from harness.pipeline.build_order import BuildStep, schedule


def before(step: BuildStep, steps: tuple[BuildStep, ...]) -> set[str]:
    """Return everything that is built before a system, whatever the number of processes."""
    found: set[str] = set()
    for place in step.after:
        found |= {steps[place].system.name} | before(steps[place], steps)
    return found


def test_no_measurement_is_made_twice() -> None:
    """Forbids that two processes make the same measurement, or that one measures on a system that is not built yet."""
    steps = schedule(all_systems())
    assert sorted(step.system.name for step in steps) == sorted(system.name for system in all_systems())
    for place, step in enumerate(steps):
        assert all(other < place for other in step.after)
        for request in step.system.recipe().needs:
            assert set(request.systems) <= before(step, steps)
        for other in steps[:place]:
            both = set(other.system.recipe().needs) & set(step.system.recipe().needs)
            assert both <= {each for name in before(step, steps) for each in get_system(name).recipe().needs}


def test_there_is_no_cycle() -> None:
    """Forbids a cycle where a system precedes the one on which it measures, and both share a measurement."""
    calibrated = Recipe(rule(LINEAR, Hqq(4)), transforms=[Awq(Prompts.SOURCE)])
    ranking = Sensitivity(parent="parent", trial=Hqq(3))
    measured = Recipe(rule(MLP & least_sensitive(1, ranking), Hqq(3)), transforms=[Awq(Prompts.SOURCE)])
    systems = [
        System("child", "finetuned", "", lambda: measured, ""),
        System("parent", "finetuned", "", lambda: calibrated, ""),
    ]
    assert [(step.system.name, step.after) for step in schedule(systems)] == [
        ("parent", frozenset()),
        ("child", frozenset({0})),
    ]


def test_the_longest_come_first() -> None:
    """Forbids that a system for which others wait, or a calibration on all data, is begun late."""
    names = [step.system.name for step in schedule(all_systems())]
    assert names[:2] == ["hqq4-emb2-g128", "hqq-contrastive"]
    assert names.index("hqq-awq-de-all") < names.index("hqq-awq-de-256") < names.index("hqq-awq-de-128")
    assert names.index("hqq-awq-de-128") < names.index("fp16-untuned")


def test_only_systems_of_the_schedule_are_waited_for() -> None:
    """Forbids a schedule that waits for a system that is not in it."""
    chosen = [get_system(name) for name in ("hqq-primary", "hqq-awq-de-all")]
    (first, second) = schedule(chosen)
    assert (first.after, second.after) == (frozenset(), frozenset({0}))  # both need the ranking of the layers
