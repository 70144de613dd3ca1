"""The numbers of a system in the artifacts and evaluations on disk."""

from functools import cache

from harness.calibration.system_artifacts import find_artifact
from harness.compression.artifact import Artifact
from harness.compression.size import measure
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.evaluation.evaluation_store import Evaluation, evaluation_entry
from harness.reporting.paper_tables.published import Measure
from harness.testsets.load import test_set_name


class ResultIndex:
    """The artifacts and evaluations of one task in a work directory, each opened once.

    Attributes:
        absent: why a system that was asked for has no artifact here, by name: not registered, not built, or damaged.
    """

    def __init__(self, task: Task, workdir: WorkDir) -> None:
        self._task = task
        self._workdir = workdir
        self.absent: dict[str, str] = {}
        self._artifact = cache(self._find)
        self._evaluation = cache(self._read)

    def test_set(self, direction: str) -> str:
        """Return the name of the task's first test set of the direction, which is used for the papers' test set."""
        sets = self._task.test_sets.get(direction, ())
        return test_set_name(sets[0]) if sets else ""

    def value(self, system: str, measure_: Measure, direction: str, test_set: str) -> float | None:
        """Return a number, which is neither a difference nor a ratio, or None where it was not measured.

        The system need not be registered.

        Raises:
            UserError: an evaluation cannot be read, or an artifact changed while its size was measured.
        """
        artifact = self._artifact(system)
        if artifact is None:
            return None
        if measure_ is Measure.ALL_FILES:
            return measure(artifact).total
        if measure_ is Measure.LINEAR_LAYERS:
            return linear_bytes(artifact)
        found = self._evaluation(system, direction, test_set)
        if found is None:
            return None
        if measure_ is Measure.SECONDS:
            return found.speed.seconds_per_item if found.speed else None
        score = found.score(str(measure_))
        return None if score is None else score.value

    def _find(self, system: str) -> Artifact | None:
        try:
            return find_artifact(self._task, system, self._workdir)
        except UserError as error:
            self.absent[system] = str(error)
            return None

    def _read(self, system: str, direction: str, test_set: str) -> Evaluation | None:
        artifact = self._artifact(system)
        if artifact is None or not test_set:
            return None
        named = (system, artifact.manifest.role, artifact.id)
        return evaluation_entry(self._task, self._workdir, named, (test_set, direction)).read()


def linear_bytes(artifact: Artifact) -> int:
    """Return the stored bytes of all linear layers, weights and biases: what the second paper's table 1 counts."""
    weights = {row.tensor.name for row in artifact.manifest.plan.assignments if row.tensor.is_linear}
    counted = weights | {f"{name.removesuffix('.weight')}.bias" for name in weights}
    parts = (part for file in artifact.weight_files.values() for part in file.entries.items())
    return sum(entry.nbytes for key, entry in parts if artifact.tensor_of(key) in counted)
