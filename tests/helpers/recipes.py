"""Plans for the tiny checkpoint, made without the registry so that a paper's system may change freely."""

from harness.compression.codecs import Decimal, Hqq, Int8
from harness.compression.plan import Plan, resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import EMBEDDING, HEAD, LINEAR, MLP
from harness.models.checkpoint import Checkpoint

RECIPES = {
    "raw": Recipe(),
    "hqq4": Recipe(rule(LINEAR, Hqq(bits=4))),
    "mixed": Recipe(rule(EMBEDDING, Hqq(bits=2)), rule(MLP, Hqq(bits=3)), rule(LINEAR, Decimal(places=3))),
    "int8": Recipe(rule(LINEAR & ~HEAD, Int8())),
}


def plan_for(checkpoint: Checkpoint, name: str) -> Plan:
    """Return the plan of one of the recipes above."""
    return resolve(name, RECIPES[name], checkpoint.specs)
