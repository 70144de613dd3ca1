"""`harness generate`, `score`, `leaderboard` and `segmenters`: translate, score, rank, compare segmenters."""

import click

from harness.cli.options import Options, Output, common, device_option
from harness.cli.run import leaderboard_output
from harness.compression.registry import all_systems
from harness.core.files import write_bytes
from harness.core.progress import log
from harness.evaluation.evaluate import evaluate
from harness.inference.generate import generate
from harness.inference.hypothesis import HypothesisSet
from harness.pipeline.main_job import Job, system_under_test
from harness.reporting.segmenter_comparison import compare_segmenters, render_markdown
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
    lines = [f"{e.metric:>5} {e.value:8.3f} ({e.unit}, {e.segments} segments)  {e.signature}" for e in scores]
    return Output(scores, "\n".join(lines))


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


@click.command("segmenters")
@click.argument("system")
@click.argument("direction")
@click.argument("test_sets", nargs=-1)
@device_option
@common
def segmenters_command(
    options: Options, system: str, direction: str, test_sets: tuple[str, ...], device: str
) -> Output:
    """Segment TEST_SETS (by default all of the task's) by every method, translate with SYSTEM, and compare."""
    options.task.language_pair(direction)
    under_test = system_under_test(options.task, system, options.workdir, device)
    rows = compare_segmenters(under_test, test_sets or options.task.sets(direction), direction)
    text = render_markdown(rows)
    path = options.workdir.leaderboard / f"segmenters-{system}-{direction}.md"
    write_bytes(path, text.encode())
    log(f"wrote {path}")
    return Output(rows, text.rstrip("\n"))
