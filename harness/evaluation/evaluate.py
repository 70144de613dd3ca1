"""Evaluate: translate a test set with a system, score and time it, and store everything in one evaluation.

Slow results (translations, cross-entropy, speed) are stored by content key where they are made.
"""

from dataclasses import dataclass
from functools import cached_property

from harness.compression.artifact import Artifact
from harness.compression.registry import get_system
from harness.compression.size import measure
from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.store import StoreEntry
from harness.core.workdir import WorkDir
from harness.evaluation.cross_entropy import cross_entropy
from harness.evaluation.evaluation_store import EXTERNAL, EvaluatedSize, Evaluation, evaluation_entry, settings_key
from harness.evaluation.external_hypotheses import ExternalHypotheses
from harness.evaluation.speed import SpeedMeasurement, speed
from harness.evaluation.speed_summary import SpeedSummary
from harness.inference.engine import EngineLoader
from harness.inference.generate import generate
from harness.inference.hypothesis import HypothesisSet
from harness.inference.output_flags import Flagged, flagged, flagged_texts
from harness.inference.request import GenerationRequest
from harness.scoring.alignment import lines_of, made_by
from harness.scoring.context import ScoringContext
from harness.scoring.metric import Score, Scored
from harness.scoring.metrics.cross_entropy import CROSS_ENTROPY
from harness.segmentation import segment
from harness.testsets.load import test_set_name
from harness.testsets.testset import TestSet


@dataclass(frozen=True)
class SystemUnderTest:
    """A system's artifact with the task that defines its use and the work directory for its results.

    Attributes:
        engine: loads the artifact's model on first use.
        device: torch's name of the device that the engine runs on.
    """

    task: Task
    artifact: Artifact
    engine: EngineLoader
    device: str
    workdir: WorkDir

    @cached_property
    def directions(self) -> tuple[str, ...]:
        """Directions in which the artifact's role is used and the task has sets."""
        return tuple(p for p in self.task.role(self.artifact.manifest.role).directions if self.task.sets(p))

    def request(self, test_set: TestSet, direction: str) -> GenerationRequest:
        """Return the task's generation request for the artifact on a test set."""
        role = self.task.role(self.artifact.manifest.role)
        return GenerationRequest(
            artifact=self.artifact,
            test_set=test_set,
            segmentation=segment(test_set, self.task.segmenting, self.workdir, self.device),
            language_pair=self.task.directions[direction],
            prompt=self.task.prompts[role.prompt],
            decoding=role.decoding.on(test_set.name, test_set.campaign_name),
            device=self.device,
        )


def evaluate(under_test: SystemUnderTest, test_set: TestSet, direction: str) -> Evaluation:
    """Translate, measure and score; what is stored already is read.

    Raises:
        UserError: audio or texts of the set cannot be read, or the model cannot be loaded.
    """
    request = under_test.request(test_set, direction)
    made = generate(request, under_test.workdir, under_test.engine)
    # A system is timed on the task's test sets, not again on every blind set.
    timed = test_set.name in map(test_set_name, under_test.task.test_sets.get(direction, ()))
    timing = _speed(made, speed(request, under_test.workdir, under_test.engine)) if timed else None
    report, role = measure(under_test.artifact), under_test.artifact.manifest.role
    result = Evaluation(
        system=made.system,
        role=role,
        source=get_system(made.system).source,
        artifact=made.artifact,
        settings=settings_key(under_test.task, role, direction),
        test_set=test_set.name,
        test_set_key=test_set.key,
        direction=direction,
        hypotheses=made.key,
        scored=_scored(under_test, request, made),
        size=EvaluatedSize(report.total, report.weights),
        speed=timing,
        flags=_counts(flagged(made)),
    )
    entry_of(under_test, test_set.name, direction).write(result)
    return result


def entry_of(under_test: SystemUnderTest, test_set: str, direction: str) -> StoreEntry[Evaluation]:
    """Return where the evaluation of an artifact on a test set is stored."""
    manifest = under_test.artifact.manifest
    system = (manifest.system, manifest.role, under_test.artifact.id)
    return evaluation_entry(under_test.task, under_test.workdir, system, (test_set, direction))


def evaluate_external(made: ExternalHypotheses, context: ScoringContext) -> Evaluation:
    """Score imported translations with the task's metrics, and store the evaluation.

    Raises:
        UserError: their size was not declared, or they cannot be scored.
    """
    if made.declared_bytes is None:
        raise UserError(f"{made.name} declares no size, so the leaderboard cannot rank it: import it with a size.")
    result = Evaluation(
        system=made.name,
        role=EXTERNAL,
        source=f"external, size as declared ({made.source.split()[0]})",
        artifact=made.artifact,
        settings=settings_key(context.task, EXTERNAL, made.direction),
        test_set=made.test_set,
        test_set_key=context.test_set.key,
        direction=made.direction,
        hypotheses=made.artifact,
        scored=context.scored(made.lines),
        size=EvaluatedSize(made.declared_bytes, declared=True),
        speed=None,
        flags=_counts(flagged_texts(made.lines.texts, made.lines.target)),
    )
    system, where = (made.name, EXTERNAL, made.artifact), (made.test_set, made.direction)
    evaluation_entry(context.task, context.workdir, system, where).write(result)
    return result


def prepare(under_test: SystemUnderTest, test_set: TestSet, direction: str) -> None:
    """Do the work of `evaluate`, except for measuring speed, which needs an otherwise idle machine."""
    request = under_test.request(test_set, direction)
    _scored(under_test, request, generate(request, under_test.workdir, under_test.engine))


def _counts(flags: Flagged) -> dict[str, int]:
    return {str(flag): count for flag, count in flags.counts.items()}


def _scored(under_test: SystemUnderTest, request: GenerationRequest, made: HypothesisSet) -> tuple[Scored, ...]:
    context = ScoringContext(under_test.task, request.test_set, request.language_pair.direction, under_test.workdir)
    scored = context.scored(lines_of(made))
    if not context.has_references or request.segmentation != request.test_set.gold:
        return scored  # cross-entropy needs the audio of each reference's own sentence
    measured = cross_entropy(request, under_test.workdir, under_test.engine)
    origin = made_by(made, request.test_set, under_test.task.scoring)
    signature = f"xent|teacher-forced|se:{measured.standard_error:.4f}|{origin}"
    score = Score(CROSS_ENTROPY, measured.mean, "nats per token", signature, len(measured.tokens))
    return (*scored, Scored(score, tuple(zip(measured.nats, map(float, measured.tokens), strict=True))))


def _speed(made: HypothesisSet, timing: SpeedMeasurement) -> SpeedSummary:
    seconds = sum(hypothesis.seconds for hypothesis in made.hypotheses)
    machine = f"device:{timing.device}|threads:{timing.threads}|batch1:{len(timing.seconds)} segments"
    return SpeedSummary(
        seconds_per_item=timing.seconds_per_item,
        segments_per_second=len(made.hypotheses) / seconds if seconds else None,
        peak_mib=timing.peak_memory / 2**20 if timing.peak_memory else None,
        signature=f"{machine}|{made.signature}",
    )
