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
        adapter: parameters by name, on the CPU.
        scale: alpha / rank.
        folder: the existing folder.

    Raises:
        UserError: the disk is full, or a merged weight overflows its type.
    """
    shards = list(_shards(checkpoint.specs))
    count = len(shards)
    names = [SINGLE] if count == 1 else [f"model-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1)]
    changes = factors(adapter)
    for name, specs in zip(names, shards, strict=True):
        with published(folder / name) as temporary:
            write_tensors(temporary, {spec.name: _weight(checkpoint, spec, changes, scale) for spec in specs})
    for companion in checkpoint.companions:
        write_bytes(folder / companion.name, read_bounded(companion))
    if count > 1:
        places = {spec.name: name for name, specs in zip(names, shards, strict=True) for spec in specs}
        total = sum(spec.nbytes for spec in checkpoint.specs)
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": places})


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
