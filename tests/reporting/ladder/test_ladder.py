"""harness.reporting.ladder: from a tiny evaluated task, against the scores that the evaluations state."""

import pytest
import torch

from harness.compression.registry import get_system
from harness.config.task import load_task
from harness.core.errors import UserError
from harness.core.workdir import open_workdir
from harness.evaluation.evaluation_store import load_evaluations
from harness.pipeline.main_job import Evaluated, Job, build_stage, evaluate_stage
from harness.reporting.ladder import Contrast, Ladder, LadderStep, measure_ladder, render_markdown, render_png
from harness.scoring.metric import Scale
from harness.scoring.significance import Comparison, Interval
from tests.helpers.tiny_task import write_tiny_task

SYSTEMS = ("fp16-finetuned", "hqq8")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("ladder")
    task = load_task(str(write_tiny_task(folder)))
    made = Job(task, tuple(map(get_system, SYSTEMS)), open_workdir(str(folder / "work")))
    build_stage(made)
    return made


@pytest.fixture(scope="module")
def evaluated(job: Job) -> Evaluated:
    return evaluate_stage(job)


def test_a_step_is_the_mean_of_what_the_evaluations_state(job: Job, evaluated: Evaluated) -> None:
    """Forbids qualities that are not the mean over directions of the evaluations' BLEU, and a base with a loss."""
    ladder = measure_ladder(job.task, "tiny-set", load_evaluations(job.task, job.workdir))
    assert [step.system for step in ladder.steps] == list(SYSTEMS)
    for step in ladder.steps:
        values = [
            s.value for e in evaluated.evaluations if e.system == step.system for s in e.scores if s.metric == "BLEU"
        ]
        assert len(values) == 2
        assert step.quality.value == pytest.approx(sum(values) / 2)
    base, other = ladder.steps
    assert base.loss is None
    assert other.loss is not None
    assert other.loss.difference.value == pytest.approx(other.quality.value - base.quality.value)
    assert ladder.contrasts == ()


def test_nothing_evaluated_is_one_sentence(job: Job) -> None:
    """Forbids an empty table where nothing was measured."""
    with pytest.raises(UserError, match="No system is evaluated on tiny-set with BLEU"):
        measure_ladder(job.task, "tiny-set", ())


def hand_ladder() -> Ladder:
    """A ladder of two steps and one contrast."""
    worse = Comparison(Interval(-3.25, -5.0, -1.0), 0.004)
    steps = (
        LadderStep("fp16-x", "x", 2_000_000, Interval(70.0, 65.0, 75.0), None, None),
        LadderStep("y", "x", 1_000_000, Interval(66.75, 60.0, 72.0), worse, 0.5),
    )
    contrast = Contrast("a", "b", Comparison(Interval(0.5, -1.0, 2.0), 0.31))
    return Ladder("t", "s", ("en-de", "en-zh"), "BLEU", Scale("BLEU"), steps, (contrast,))


def test_the_table_shows_intervals_and_marks_what_is_significant() -> None:
    """Forbids a number without its interval, and a mark on a difference that chance explains."""
    text = render_markdown(hand_ladder())
    assert "| `y` | x | 1,000,000 | 66.75 [60.00, 72.00] | -3.25 [-5.00, -1.00] | **0.004** | 0.5000 |" in text
    assert "| a | b | +0.50 [-1.00, +2.00] | 0.310 |" in text
    assert "| `fp16-x` | x | 2,000,000 | 70.00 [65.00, 75.00] | base | - | - |" in text


def test_the_same_ladder_gives_the_same_picture() -> None:
    """Forbids a picture that changes by itself."""
    assert render_png(hand_ladder()) == render_png(hand_ladder())
