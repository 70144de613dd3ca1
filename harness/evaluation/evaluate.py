"""Evaluations: one system on one test set in one direction, everything measured, in one file.

What is slow (translations, cross-entropy, speed) is stored by content key where it is made; an evaluation only collects
it, so that the leaderboard is a pure function of files.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from harness.compression.artifact import Artifact
from harness.config.task import Task
from harness.core.errors import UserError, check_format
from harness.core.files import key_of, read_json, write_json
from harness.core.workdir import WorkDir
from harness.evaluation.cross_entropy import CrossEntropy, cross_entropy
from harness.evaluation.speed import SpeedMeasurement, speed
from harness.evaluation.speed_summary import SpeedSummary
from harness.inference.engine import EngineLoader
from harness.inference.generate import generate
from harness.inference.hypothesis import HypothesisSet
from harness.inference.output_flags import flagged
from harness.inference.request import GenerationRequest
from harness.scoring.metric import Score
from harness.scoring.score_store import made_by, score
from harness.segmentation import segment
from harness.testsets.load import test_set_name
from harness.testsets.testset import TestSet

FORMAT = 2


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything measured of one system on one test set in one direction.

    Attributes:
        system: registered name.
        artifact: id of the artifact that was run.
        test_set: name of the test set.
        direction: e.g. `en-de`.
        hypotheses: key of the translations.
        scores: BLEU, chrF, cross-entropy; empty where the set has no references.
        speed: seconds per item, throughput, peak memory; None on blind sets.
        flags: how many translations carry each flag, by its name.
    """

    system: str
    artifact: str
    test_set: str
    direction: str
    hypotheses: str
    scores: tuple[Score, ...]
    speed: SpeedSummary | None
    flags: dict[str, int]


@dataclass(frozen=True)
class SystemUnderTest:
    """A system's artifact on the under_test: the task that says how it is used, and where results go.

    Attributes:
        task: prompts, decoding and segmentation.
        artifact: what is evaluated.
        engine: loads its model on first use.
        device: torch's name of the device that the engine runs on.
        workdir: the store.
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
        """Return what the task asks of the artifact on a test set."""
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


def evaluation_path(task: Task, workdir: WorkDir, artifact: Artifact, test_set: str, direction: str) -> Path:
    """Return where the evaluation of an artifact lies; the artifact's id and the task's settings are in the name."""
    role = task.role(artifact.manifest.role)
    settings = key_of(
        [task.prompts[role.prompt], task.directions[direction], role.decoding, task.segmenting, task.scoring]
    )
    name = f"{artifact.manifest.system}-{artifact.id[:16]}-{settings[:8]}-{test_set}-{direction}.json"
    return workdir.evaluations / name


def evaluate(under_test: SystemUnderTest, test_set: TestSet, direction: str) -> Evaluation:
    """Translate, measure and score; what is stored already is read.

    Raises:
        UserError: audio or texts of the set do not read, or the model cannot be loaded.
    """
    request = under_test.request(test_set, direction)
    made = generate(request, under_test.workdir, under_test.engine)
    timed = test_set.name in map(test_set_name, under_test.task.test_sets.get(direction, ()))
    timing = speed(request, under_test.workdir, under_test.engine) if timed else None
    result = Evaluation(
        system=made.system,
        artifact=made.artifact,
        test_set=test_set.name,
        direction=direction,
        hypotheses=made.key,
        scores=_scores(under_test, request, made),
        speed=_speed(made, timing),
        flags={str(flag): count for flag, count in flagged(made).counts.items()},
    )
    path = evaluation_path(under_test.task, under_test.workdir, under_test.artifact, test_set.name, direction)
    write_json(path, {"format_version": FORMAT, "evaluation": result})
    return result


def prepare(under_test: SystemUnderTest, test_set: TestSet, direction: str) -> None:
    """Do what `evaluate` would do, except for measuring speed, which wants a machine to itself."""
    request = under_test.request(test_set, direction)
    _scores(under_test, request, generate(request, under_test.workdir, under_test.engine))


def _scores(under_test: SystemUnderTest, request: GenerationRequest, made: HypothesisSet) -> tuple[Score, ...]:
    if request.language_pair.target not in request.test_set.references:
        return ()
    texts = score(made, request.test_set, under_test.workdir, under_test.task.scoring)
    if request.segmentation != request.test_set.gold:
        return texts  # a reference is foreseen from the audio of its own sentence
    foreseen = cross_entropy(request, under_test.workdir, under_test.engine)
    return (*texts, _as_score(foreseen, made_by(made, request.test_set, under_test.task.scoring)))


def _as_score(measured: CrossEntropy, origin: str) -> Score:
    return Score(
        metric="cross-entropy",
        value=measured.mean,
        unit="nats per token",
        signature=f"xent|teacher-forced|se:{measured.standard_error:.4f}|{origin}",
        segments=len(measured.tokens),
    )


def _speed(made: HypothesisSet, timing: SpeedMeasurement | None) -> SpeedSummary | None:
    """Return what was timed; a system is timed on the task's test sets, not again on every blind set."""
    if timing is None:
        return None
    seconds = sum(hypothesis.seconds for hypothesis in made.hypotheses)
    machine = f"device:{timing.device}|threads:{timing.threads}|batch1:{len(timing.seconds)} segments"
    return SpeedSummary(
        seconds_per_item=timing.seconds_per_item,
        segments_per_second=len(made.hypotheses) / seconds if seconds else None,
        peak_mib=timing.peak_memory / 2**20 if timing.peak_memory else None,
        signature=f"{machine}|{made.signature}",
    )


def read_evaluation(path: Path) -> Evaluation | None:
    """Read an evaluation, or return None where there is none.

    Raises:
        UserError: it does not read, or was written by a newer version.
    """
    if not path.exists():
        return None
    value = read_json(path)
    check_format(str(path), value.get("format_version") if isinstance(value, dict) else None, FORMAT)
    try:
        return msgspec.convert(value["evaluation"], Evaluation)
    except (KeyError, msgspec.ValidationError) as error:
        raise UserError(f"{path} is not an evaluation ({error}): delete it and evaluate again.") from error
