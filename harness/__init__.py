"""A harness for shared tasks on compressing speech-translation models.

The names in `__all__` are the public Python interface. Each is imported when it is first used, so that `import harness`
is fast and loads no model library.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.calibration.system_artifacts import build_system, find_artifact
    from harness.compression.artifact import Artifact, open_artifact
    from harness.compression.plan import Plan, resolve
    from harness.compression.recipe import Recipe, rule
    from harness.compression.registry import System, all_systems, get_system, system
    from harness.compression.size import SizeReport, measure, verdict
    from harness.config.task import Task, load_task
    from harness.core.errors import UserError
    from harness.core.findings import Finding
    from harness.core.workdir import WorkDir, open_workdir
    from harness.evaluation.evaluate import SystemUnderTest, evaluate
    from harness.evaluation.evaluation_store import Evaluation, load_evaluations
    from harness.inference.generate import generate
    from harness.inference.hypothesis import HypothesisSet
    from harness.inference.request import GenerationRequest
    from harness.pipeline.main_job import system_under_test
    from harness.reporting.leaderboard import Leaderboard, write_leaderboard
    from harness.reporting.leaderboard.assemble import assemble_leaderboard
    from harness.scoring.metric import Score
    from harness.scoring.score_store import score
    from harness.submission.check import Expectation, check_archive, expectation
    from harness.submission.publish import present_sets
    from harness.testsets.load import load_test_set
    from harness.testsets.testset import TestSet

__version__ = "0.1.0"

_MODULES = {
    "calibration.system_artifacts": "build_system find_artifact", "compression.artifact": "Artifact open_artifact",
    "compression.plan": "Plan resolve", "compression.recipe": "Recipe rule",
    "compression.registry": "System all_systems get_system system", "compression.size": "SizeReport measure verdict",
    "config.task": "Task load_task", "core.errors": "UserError", "core.findings": "Finding",
    "core.workdir": "WorkDir open_workdir", "evaluation.evaluate": "SystemUnderTest evaluate",
    "evaluation.evaluation_store": "Evaluation load_evaluations", "inference.generate": "generate",
    "inference.hypothesis": "HypothesisSet", "inference.request": "GenerationRequest",
    "pipeline.main_job": "system_under_test", "reporting.leaderboard": "Leaderboard write_leaderboard",
    "reporting.leaderboard.assemble": "assemble_leaderboard", "scoring.metric": "Score", "scoring.score_store": "score",
    "submission.check": "Expectation check_archive expectation", "submission.publish": "present_sets",
    "testsets.load": "load_test_set", "testsets.testset": "TestSet",
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "Artifact", "Evaluation", "Expectation", "Finding", "GenerationRequest", "HypothesisSet", "Leaderboard", "Plan",
    "Recipe", "Score", "SizeReport", "System", "SystemUnderTest", "Task", "TestSet", "UserError", "WorkDir",
    "__version__", "all_systems", "assemble_leaderboard", "build_system", "check_archive", "evaluate", "expectation",
    "find_artifact", "generate", "get_system", "load_evaluations", "load_task", "load_test_set", "measure",
    "open_artifact", "open_workdir", "present_sets", "resolve", "rule", "score", "system", "system_under_test",
    "verdict", "write_leaderboard",
]  # fmt: skip

# A type checker that saw this function would accept any attribute of the module.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used (PEP 562)."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name))

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
