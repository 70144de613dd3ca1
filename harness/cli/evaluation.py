"""`harness generate`, `score` and `leaderboard`: translate, score, rank."""

import click

from harness.cli.options import Options, Output, common, device_option
from harness.cli.run import leaderboard_output
from harness.compression.registry import all_systems
from harness.evaluation.evaluate import evaluate
from harness.inference.generate import generate
from harness.inference.hypothesis import HypothesisSet
from harness.pipeline.main_job import Job, system_under_test
from harness.scoring.metric import Score
from harness.scoring.score_store import score
from harness.testsets.load import load_test_set


def _translate(options: Options, where: tuple[str, str, str], device: str) -> HypothesisSet:
    system, test_set, direction = where
    options.task.language_pair(direction)
    under_test = system_under_test(options.task, system, options.workdir, device)
    request = under_test.request(load_test_set(test_set, options.workdir), direction)
    return generate(request, options.workdir, under_test.engine)


@click.command("generate")
@click.argument("system")
@click.argument("test_set")
@click.argument("direction")
@device_option
@common
def generate_command(options: Options, system: str, test_set: str, direction: str, device: str) -> Output:
    """Translate TEST_SET with SYSTEM (a name, or an artifact's directory) in DIRECTION, e.g. en-de."""
    made = _translate(options, (system, test_set, direction), device)
    return Output(made, "\n".join(hypothesis.text for hypothesis in made.hypotheses))


@click.command("score")
@click.argument("system")
@click.argument("test_set")
@click.argument("direction")
@click.option("--postprocess", default=None, help="Post-processing instead of the task's, e.g. strip-meta or none.")
@device_option
@common
def score_command(
    options: Options, system: str, test_set: str, direction: str, postprocess: str | None, device: str
) -> Output:
    """Score SYSTEM's translations of TEST_SET in DIRECTION; translates first where that has not been done yet."""
    made = _translate(options, (system, test_set, direction), device)
    settings = options.task.scoring.with_postprocess(postprocess)
    scores = score(made, load_test_set(test_set, options.workdir), options.workdir, settings)
    return Output(scores, "\n".join(_line(entry) for entry in scores))


def _line(entry: Score) -> str:
    return f"{entry.metric:>5} {entry.value:8.3f} ({entry.unit}, {entry.segments} segments)  {entry.signature}"


@click.command("leaderboard")
@click.option("--evaluate", "systems", multiple=True, help="Evaluate this system first; may be repeated.")
@device_option
@common
def leaderboard_command(options: Options, systems: tuple[str, ...], device: str) -> Output:
    """Rank every evaluated system, and write Markdown, CSV, JSON and a plot into the work directory."""
    for name in systems:
        under_test = system_under_test(options.task, name, options.workdir, device)
        for direction in under_test.directions:
            for test_set in options.task.test_sets.get(direction, ()):
                evaluate(under_test, load_test_set(test_set, options.workdir), direction)
    return leaderboard_output(options, Job(options.task, all_systems(), options.workdir, device))
