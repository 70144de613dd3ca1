"""Speed of the codecs and of the libraries that they reproduce, on one tensor in one run.

    python benchmarks/codecs.py              # a 2048 x 2048 matrix, a minute
    python benchmarks/codecs.py --head       # also the LM head of Qwen2-Audio-7B: time and peak memory, some minutes

Every time is the smallest processor time of a few rounds on one thread, in which codec and library alternate. The
table is written to stdout, the numbers and library versions to benchmarks/results/codecs.json.
"""

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from bitsandbytes.functional import int8_vectorwise_dequant, int8_vectorwise_quant
from hqq.core.quantize import HQQLinear, hqq_base_quant_config
from numcodecs import Quantize, Zstd

from harness.compression.codecs import Codec, Decimal, Hqq, Int8
from harness.core.files import write_json
from harness.models.tensor_spec import TensorSpec

RESULT = Path(__file__).parent / "results" / "codecs.json"
LIBRARIES = ("torch", "numpy", "hqq", "numcodecs", "bitsandbytes")
ROUNDS = 3
HEAD_SHAPE = (156_032, 4096)


@dataclass(frozen=True)
class Case:
    """A codec, and its library's functions for the same bytes."""

    codec: Codec
    encode: Callable[[torch.Tensor], Any]
    decode: Callable[[Any], Any]


class Row(msgspec.Struct, frozen=True):
    """Million weights per second of processor time, by codec and library."""

    codec: str
    encode: float
    encode_library: float
    decode: float
    decode_library: float


class HeadRow(msgspec.Struct, frozen=True):
    """Encoding the LM head of Qwen2-Audio-7B: processor seconds, and peak resident memory in addition to the input."""

    codec: str
    seconds: float
    input_bytes: int
    parts_bytes: int
    peak_over_input_bytes: int


class Report(msgspec.Struct, frozen=True):
    """The result file."""

    format_version: int
    shape: tuple[int, int]
    vectors: str
    versions: dict[str, str]
    rows: tuple[Row, ...]
    head: tuple[HeadRow, ...]


def cases() -> list[Case]:
    """Return each codec with its library's own calls."""
    hqq = [Case(Hqq(bits), _hqq(bits), lambda layer: layer.dequantize()) for bits in (8, 4, 3, 2, 1)]
    decimals = [Case(Decimal(places), _numcodecs(places), _from_numcodecs) for places in (2, 3)]
    int8 = Case(Int8(), lambda w: int8_vectorwise_quant(w.half()), lambda q: int8_vectorwise_dequant(q[0], q[1]))
    return [*hqq, *decimals, int8]


def _hqq(bits: int) -> Callable[[torch.Tensor], Any]:
    config = hqq_base_quant_config(nbits=bits, group_size=64)
    return lambda w: HQQLinear.from_weights(w.float(), None, config, torch.float16, "cpu")


def _numcodecs(places: int) -> Callable[[torch.Tensor], Any]:
    quantize = Quantize(digits=places, dtype="f4", astype="f2")
    return lambda w: Zstd(level=3).encode(quantize.encode(w.float().numpy()))


def _from_numcodecs(payload: bytes) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(Zstd(level=3).decode(payload), np.float16).copy())


def best_of(functions: list[Callable[[], Any]]) -> list[float]:
    """Return the smallest processor time of each function in seconds; the functions alternate."""
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for index, function in enumerate(functions):
            start = time.process_time()
            function()
            best[index] = min(best[index], time.process_time() - start)
    return best


def measure(case: Case, weight: torch.Tensor) -> Row:
    """Time one codec and its library."""
    spec = TensorSpec("w", tuple(weight.shape), "float16")
    parts, stored = case.codec.encode(weight), case.encode(weight)
    times = best_of(
        [
            lambda: case.codec.encode(weight),
            lambda: case.encode(weight),
            lambda: case.codec.decode(parts, spec),
            lambda: case.decode(stored),
        ]
    )
    return Row(str(case.codec), *(round(weight.numel() / seconds / 1e6, 2) for seconds in times))


def measure_head(codec: Codec) -> HeadRow:
    """Encode a tensor of the LM head's shape, and measure time and peak resident memory."""
    weight = torch.empty(HEAD_SHAPE, dtype=torch.bfloat16).normal_(0, 0.02)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    parts = codec.encode(weight)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    stored = sum(part.numel() * part.element_size() for part in parts.values())
    return HeadRow(str(codec), round(seconds, 1), 2 * weight.numel(), stored, 1024 * peak)


def show(report: Report) -> None:
    """Print the report as a table."""
    print(
        f"{'10^6 weights per second':38}{'encode':>9}{'library':>9}{'ratio':>7}{'decode':>9}{'library':>9}{'ratio':>7}"
    )
    for row in report.rows:
        encode, decode = row.encode / row.encode_library, row.decode / row.decode_library
        print(f"{row.codec:38}{row.encode:9.1f}{row.encode_library:9.1f}{encode:6.1f}x", end="")
        print(f"{row.decode:9.1f}{row.decode_library:9.1f}{decode:6.1f}x")
    for head in report.head:
        print(
            f"LM head {HEAD_SHAPE[0]} x {HEAD_SHAPE[1]}, {head.codec}: {head.seconds} s, "
            f"peak {head.peak_over_input_bytes / 2**20:.0f} MiB over the input, {head.parts_bytes} bytes of parts"
        )


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description="Speed of the codecs and of their libraries.")
    parser.add_argument("--head", action="store_true", help="also encode the LM head of Qwen2-Audio-7B")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # The head comes first, because the recorded peak of resident memory never falls.
    head = (measure_head(Hqq(4)),) if arguments.head else ()
    weight = torch.empty((2048, 2048), dtype=torch.bfloat16).normal_(
        0, 0.02, generator=torch.Generator().manual_seed(0)
    )
    report = Report(
        format_version=1,
        shape=(2048, 2048),
        vectors=torch.backends.cpu.get_cpu_capability(),
        versions={library: metadata.version(library) for library in LIBRARIES},
        rows=tuple(measure(case, weight) for case in cases()),
        head=head,
    )
    show(report)
    write_json(RESULT, report)


if __name__ == "__main__":
    main()
