"""The gain of cached prefixes: a sensitivity sweep, and one that runs the full model for every layer.

    python benchmarks/sensitivity.py [--task demo] [--workdir work] [--device cpu]

Both sweeps use the same model, sentences and batches, one after the other. The ratio of their times and the largest
difference of the losses are written to stdout and to benchmarks/results/sensitivity.json.
"""

import argparse
import time
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import msgspec

from harness.calibration.development import read_sentences
from harness.calibration.sensitivity import Granularity, Sensitivity, Sweep, by_length
from harness.calibration.system_artifacts import build_in, measurement_context
from harness.compression.codecs import Hqq
from harness.compression.registry import get_system
from harness.config.task import load_task
from harness.core.files import write_json
from harness.core.workdir import open_workdir
from harness.evaluation.cross_entropy import sentence_nats
from harness.inference.encoder_cache import EncoderCache
from harness.inference.load import engine_loader

RESULT = Path(__file__).parent / "results" / "sensitivity.json"
PARENT, TRIAL = "hqq4-emb2-g128", Hqq(3, group_size=128)


class Result(msgspec.Struct, frozen=True):
    """Seconds of both sweeps, their ratio, and the largest difference of two losses."""

    task: str
    device: str
    layers: int
    sentences: int
    seconds_whole: float
    seconds_cached: float
    ratio: float
    largest_difference_nats_per_token: float
    versions: dict[str, str]


def main() -> None:
    """Run both sweeps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="demo")
    parser.add_argument("--workdir", default=None)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    task = load_task(options.task)
    context = measurement_context(task, get_system(PARENT), open_workdir(options.workdir), options.device)
    engine = engine_loader(build_in(context, PARENT), options.device)()
    examples = [sentence.example for sentence in read_sentences(context, engine)]
    batches = [[examples[i] for i in batch] for batch in by_length(examples, context.role.decoding.batch_size)]
    sweep = Sweep(context.checkpoint, engine, batches)
    units = Sensitivity(PARENT, TRIAL, granularity=Granularity.LAYER).units(context)
    begin = time.perf_counter()
    _, cached = sweep.run(units, TRIAL)
    middle = time.perf_counter()
    whole = []
    uncached = replace(engine, encoder_cache=EncoderCache(capacity=0))
    for unit in units:
        with sweep.swapped(unit, TRIAL):
            whole.append([nats for batch in batches for nats in sentence_nats(uncached, batch)])
    end = time.perf_counter()
    tokens = sum(len(example.target) for example in examples)
    result = Result(
        task=task.name,
        device=options.device,
        layers=len(units),
        sentences=len(examples),
        seconds_whole=end - middle,
        seconds_cached=middle - begin,
        ratio=(end - middle) / (middle - begin),
        largest_difference_nats_per_token=max(
            abs(sum(ours) - sum(theirs)) / tokens for (_, ours), theirs in zip(cached, whole, strict=True)
        ),
        versions={name: metadata.version(name) for name in ("torch", "transformers", "hqq")},
    )
    write_json(RESULT, result)
    print(msgspec.json.format(msgspec.json.encode(result)).decode())


if __name__ == "__main__":
    main()
