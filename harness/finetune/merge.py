"""Merges base and adapter into a checkpoint with canonical names, the base's types and its companion files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import UserError
from harness.core.files import published, read_bounded, write_bytes, write_json
from harness.core.safetensors_io import write_tensors
from harness.finetune.adapter import factors, merged
from harness.models.checkpoint import INDEX, SINGLE, Checkpoint
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor

_SHARD_BYTES = 1 << 30
"""Largest weight file in bytes, unless a single tensor is larger: one shard at a time is in memory."""


def write_merged(checkpoint: Checkpoint, adapter: Mapping[str, "Tensor"], scale: float, folder: Path) -> None:
    """Write the weights and companion files of the adapted checkpoint into an existing folder.

    Args:
        checkpoint: the base.
        adapter: the adapter's parameters by name, on the CPU.
        scale: alpha / rank.
        folder: where the files are written.

    Raises:
        UserError: the disk is full, or a merged weight overflows its type.
    """
    shards = list(_shards(checkpoint.specs))
    names = [SINGLE] if len(shards) == 1 else [_shard_name(i, len(shards)) for i in range(1, len(shards) + 1)]
    changes = factors(adapter)
    for name, specs in zip(names, shards, strict=True):
        with published(folder / name) as temporary:
            write_tensors(temporary, {spec.name: _weight(checkpoint, spec, changes, scale) for spec in specs})
    for companion in checkpoint.companions:
        write_bytes(folder / companion.name, read_bounded(companion))
    if len(shards) > 1:
        _write_index(folder / INDEX, names, shards)


def _weight(
    checkpoint: Checkpoint, spec: TensorSpec, changes: Mapping[str, tuple["Tensor", "Tensor"]], scale: float
) -> "Tensor":
    import torch

    weight = checkpoint.tensor(spec.name)
    if spec.name not in changes:
        return weight
    result = merged(weight, *changes[spec.name], scale)
    if not bool(torch.isfinite(result).all()):
        raise UserError(f"The merged {spec.name} overflows {spec.dtype}: lower the recipe's learning rate.")
    return result


def _shards(specs: Sequence[TensorSpec]) -> Iterator[list[TensorSpec]]:
    shard: list[TensorSpec] = []
    for spec in specs:
        if shard and sum(other.nbytes for other in shard) + spec.nbytes > _SHARD_BYTES:
            yield shard
            shard = []
        shard.append(spec)
    yield shard


def _shard_name(number: int, count: int) -> str:
    return f"model-{number:05d}-of-{count:05d}.safetensors"


def _write_index(path: Path, names: Sequence[str], shards: Sequence[Sequence[TensorSpec]]) -> None:
    places = {spec.name: name for name, specs in zip(names, shards, strict=True) for spec in specs}
    total = sum(spec.nbytes for specs in shards for spec in specs)
    write_json(path, {"metadata": {"total_size": total}, "weight_map": places})
