"""Speed of decoding with fast masks and a preallocated cache, compared with transformers' own.

    python benchmarks/decoding.py [--task demo] [--workdir work] [--system hqq4] [--device cpu]

The first direction of the task's first test set is decoded three times each way, alternately, and the fastest pass
counts. Both ways must give the same text. Results go to stdout and to benchmarks/results/decoding.json.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import metadata
from pathlib import Path
from unittest import mock

import msgspec

from harness.calibration.system_artifacts import find_artifact
from harness.config.task import load_task
from harness.core.files import write_json
from harness.core.workdir import open_workdir
from harness.evaluation.evaluate import SystemUnderTest
from harness.inference.decoding import decode
from harness.inference.engine import Engine
from harness.inference.examples import ExampleReader
from harness.inference.generate import plan_batches
from harness.inference.load import engine_loader
from harness.inference.prompting import Example
from harness.testsets.load import load_test_set

RESULT = Path(__file__).parent / "results" / "decoding.json"
ROUNDS = 3


class Result(msgspec.Struct, frozen=True):
    """Seconds of the fastest pass each way, and their ratio."""

    task: str
    system: str
    device: str
    threads: int
    segments: int
    batch_size: int
    seconds_as_transformers: float
    seconds_light: float
    ratio: float
    versions: dict[str, str]


@contextmanager
def as_transformers() -> Iterator[None]:
    """Use transformers' own masks and cache inside the block."""
    with (
        mock.patch("harness.inference.decoding.fast_decode_masks", nullcontext),
        mock.patch("harness.inference.decoding.preallocated_kv_cache", return_value=None),
    ):
        yield


def main() -> None:
    """Decode both ways and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="demo")
    parser.add_argument("--workdir", default=None)
    parser.add_argument("--system", default="hqq4")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    import torch

    task, workdir = load_task(options.task), open_workdir(options.workdir)
    artifact = find_artifact(task, options.system, workdir)
    under_test = SystemUnderTest(task, artifact, engine_loader(artifact, options.device), options.device, workdir)
    direction = under_test.directions[0]
    request = under_test.request(load_test_set(task.test_sets[direction][0], workdir), direction)
    reader = ExampleReader(request, under_test.engine())
    plan = plan_batches(request.segmentation.segments, request.decoding.batch_size)
    batches = [[reader.read(index) for index in batch] for batch in plan]
    seconds: dict[str, list[float]] = {"transformers": [], "light": []}
    outputs = []
    for _ in range(ROUNDS):
        for name, way in (("transformers", as_transformers), ("light", nullcontext)):
            with way():
                taken, texts = _decode(under_test.engine(), batches, request.decoding.max_new_tokens)
            seconds[name].append(taken)
            outputs.append(texts)
    if any(texts != outputs[0] for texts in outputs):
        raise SystemExit("the texts of both ways differ")
    result = Result(
        task=task.name,
        system=options.system,
        device=options.device,
        threads=torch.get_num_threads(),
        segments=len(request.segmentation.segments),
        batch_size=request.decoding.batch_size,
        seconds_as_transformers=min(seconds["transformers"]),
        seconds_light=min(seconds["light"]),
        ratio=min(seconds["transformers"]) / min(seconds["light"]),
        versions={name: metadata.version(name) for name in ("torch", "transformers")},
    )
    write_json(RESULT, result)
    print(f"as transformers {result.seconds_as_transformers:.2f} s, light {result.seconds_light:.2f} s")
    print(f"ratio {result.ratio:.2f}")


def _decode(engine: Engine, batches: Sequence[Sequence[Example]], limit: int) -> tuple[float, list[str]]:
    """Return the seconds that all batches took, and the texts."""
    begin = time.perf_counter()
    texts = [answer.text for batch in batches for answer in decode(engine, batch, limit)]
    return time.perf_counter() - begin, texts


if __name__ == "__main__":
    main()
