"""The gain of AWQ calibration: reconstruction error per decoder layer on held-out sentences, with and without it.

    python benchmarks/awq.py [--task demo] [--workdir work] [--device cpu]

The held-out sentences are those of the task's test sets, which calibration does not read. The errors and the sizes of
both artifacts are written to stdout and to benchmarks/results/awq.json.
"""

import argparse
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import msgspec
import torch

from harness.calibration.context import MeasurementContext
from harness.calibration.development import read_sentences
from harness.calibration.prefix import Prefix, decoder_of, run_layer
from harness.calibration.sensitivity import by_length
from harness.calibration.system_artifacts import build_in, measurement_context
from harness.compression.registry import get_system
from harness.compression.size import measure
from harness.config.task import load_task
from harness.core.files import write_json
from harness.core.workdir import open_workdir
from harness.inference.engine import Engine
from harness.inference.load import engine_loader, load_dense
from harness.inference.prompting import Example, right_padded

RESULT = Path(__file__).parent / "results" / "awq.json"
WITHOUT, WITH = "hqq-contrastive", "hqq-primary"


class LayerError(msgspec.Struct, frozen=True):
    """The reconstruction error of one decoder layer: the distance of its output from the uncompressed model's.

    Attributes:
        layer: index of the layer.
        relative: squared error of the layer's output over the squared change that the layer makes to its input, both
            summed over real tokens; 0 means no error, 1 an error as large as without the layer.
    """

    layer: int
    relative: float


class Result(msgspec.Struct, frozen=True):
    """Errors of both systems by layer, the mean ratio, and both sizes in bytes."""

    task: str
    held_out: tuple[str, ...]
    sentences: int
    without: tuple[LayerError, ...]
    calibrated: tuple[LayerError, ...]
    mean_ratio: float
    bytes_without: int
    bytes_calibrated: int
    more_bytes_percent: float
    versions: dict[str, str]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="demo")
    parser.add_argument("--workdir", default=None)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    context = measurement_context(
        load_task(options.task), get_system(WITH), open_workdir(options.workdir), options.device
    )
    plain, calibrated = (build_in(context, name) for name in (WITHOUT, WITH))
    dense = load_dense(context.checkpoint, options.device)
    held_out = msgspec.structs.replace(context.task, development_sets=context.task.test_sets)
    reader = MeasurementContext(held_out, context.role_name, context.checkpoint, context.workdir, options.device)
    examples = [sentence.example for sentence in read_sentences(reader, dense)]
    batches = [[examples[i] for i in batch] for batch in by_length(examples, context.role.decoding.batch_size)]
    errors = [
        reconstruction_errors(dense, engine_loader(artifact, options.device)(), batches)
        for artifact in (plain, calibrated)
    ]
    weights = [measure(artifact).total for artifact in (plain, calibrated)]
    ratios = [b.relative / a.relative for a, b in zip(*errors, strict=True)]
    result = Result(
        task=context.task.name,
        held_out=tuple(sorted({name for names in held_out.development_sets.values() for name in names})),
        sentences=len(examples),
        without=errors[0],
        calibrated=errors[1],
        mean_ratio=sum(ratios) / len(ratios),
        bytes_without=weights[0],
        bytes_calibrated=weights[1],
        more_bytes_percent=100 * (weights[1] / weights[0] - 1),
        versions={name: metadata.version(name) for name in ("torch", "transformers", "hqq", "autoawq")},
    )
    write_json(RESULT, result)
    print(f"{'layer':>5} {'without':>10} {'AWQ':>10} {'ratio':>7}")
    for one, other, ratio in zip(*errors, ratios, strict=True):
        print(f"{one.layer:>5} {one.relative:>10.5f} {other.relative:>10.5f} {ratio:>7.3f}")
    print(f"mean ratio {result.mean_ratio:.3f}; {result.more_bytes_percent:+.3f} % bytes")


def reconstruction_errors(
    dense: Engine, compressed: Engine, batches: Sequence[Sequence[Example]]
) -> tuple[LayerError, ...]:
    """Return the error of every layer of a compressed model, computed on the inputs of the uncompressed model."""
    prefix = Prefix(dense, batches, lambda _count: None)
    real = [right_padded(dense, batch).attention_mask.bool() for batch in batches]
    found = []
    with torch.inference_mode():
        for index, layer in enumerate(decoder_of(compressed.model).layers):
            before = prefix.captured()
            outputs = [run_layer(layer, state, arguments) for state, arguments in before]
            prefix.move_on()
            expected = [state for state, _ in prefix.captured()]
            error = sum(_squares(a - b, mask) for a, b, mask in zip(outputs, expected, real, strict=True))
            change = sum(_squares(b - s, mask) for (s, _), b, mask in zip(before, expected, real, strict=True))
            found.append(LayerError(index, error / change))
    return tuple(found)


def _squares(difference: torch.Tensor, real: torch.Tensor) -> float:
    return float(difference[real].double().pow(2).sum())


if __name__ == "__main__":
    main()
