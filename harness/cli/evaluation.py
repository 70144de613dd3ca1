"""`harness generate`, `score` and `leaderboard`: translate, score, rank."""

import click

from harness.calibration.system_artifacts import find_artifact
from harness.cli.options import Options, common, device_option
from harness.compression.registry import all_systems
from harness.core.errors import UserError
from harness.evaluation.evaluate import SystemUnderTest, evaluate
from harness.inference.generate import generate
from harness.inference.hypothesis import HypothesisSet
from harness.inference.load import engine_loader
from harness.scoring.metric import Score
from harness.scoring.score_store import score
from harness.testsets.load import load_test_set


def _translate(options: Options, where: tuple[str, str, str], device: str) -> tuple[SystemUnderTest, HypothesisSet]:
    system, test_set, direction = where
    if direction not in options.task.directions:
        known = ", ".join(options.task.directions)
        raise UserError(f"Task {options.task.name!r} has no direction {direction!r}: it has {known}.")
    artifact = find_artifact(options.task, system, options.workdir)
    under_test = SystemUnderTest(options.task, artifact, engine_loader(artifact, device), device, options.workdir)
    made = generate(
        under_test.request(load_test_set(test_set, options.workdir), direction), options.workdir, under_test.engine
    )
    return under_test, made


@click.command("generate")
@click.argument("system")
@click.argument("test_set")
@click.argument("direction")
@device_option
@common
def generate_command(options: Options, system: str, test_set: str, direction: str, device: str) -> None:
    """Translate TEST_SET with SYSTEM (a name, or an artifact's directory) in DIRECTION, e.g. en-de."""
    _, made = _translate(options, (system, test_set, direction), device)
    options.emit(made, "\n".join(hypothesis.text for hypothesis in made.hypotheses))


@click.command("score")
@click.argument("system")
@click.argument("test_set")
@click.argument("direction")
@click.option("--postprocess", default=None, help="Post-processing instead of the task's, e.g. strip-meta or none.")
@device_option
@common
def score_command(
    options: Options, system: str, test_set: str, direction: str, postprocess: str | None, device: str
) -> None:
    """Score SYSTEM's translations of TEST_SET in DIRECTION; translates first where that is not done yet."""
    _, made = _translate(options, (system, test_set, direction), device)
    settings = options.task.scoring.with_postprocess(postprocess)
    scores = score(made, load_test_set(test_set, options.workdir), options.workdir, settings)
    options.emit(scores, "\n".join(_line(entry) for entry in scores))


def _line(entry: Score) -> str:
    return f"{entry.metric:>5} {entry.value:8.3f} ({entry.unit}, {entry.segments} segments)  {entry.signature}"


@click.command("leaderboard")
@click.option("--evaluate", "systems", multiple=True, help="Evaluate this system first; may be repeated.")
@device_option
@common
def leaderboard_command(options: Options, systems: tuple[str, ...], device: str) -> None:
    """Rank every evaluated system; writes Markdown, CSV, JSON and a picture into the work directory."""
    from harness.cli.run import show_leaderboard
    from harness.pipeline.main_job import Job

    for name in systems:
        artifact = find_artifact(options.task, name, options.workdir)
        under_test = SystemUnderTest(options.task, artifact, engine_loader(artifact, device), device, options.workdir)
        for direction in under_test.directions:
            for test_set in options.task.test_sets.get(direction, ()):
                evaluate(under_test, load_test_set(test_set, options.workdir), direction)
    show_leaderboard(options, Job(options.task, all_systems(), options.workdir, device))
