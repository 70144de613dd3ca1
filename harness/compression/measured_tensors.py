"""Reads the tensors that a measurement stored beside its result."""

from functools import lru_cache
from pathlib import Path

from harness.core.errors import UserError
from harness.core.files import sha256_of
from harness.core.safetensors_io import TensorFile, open_tensor_file


def tensors_path(folder: Path, key: str) -> Path:
    """Return the path of a measurement's tensors, given the folder of measurements and the content key."""
    return folder / f"{key}.safetensors"


@lru_cache(maxsize=8)  # a file is read for many tensors of a build and hashed once
def read_measured_tensors(path: Path, sha256: str) -> TensorFile:
    """Open the tensors of a measurement, given path and checksum; each one is memory-mapped when it is read.

    Raises:
        UserError: the file is missing, or is not the one with which the plan was made.
    """
    again = f"remove {path.with_suffix('.json')} and run `harness build`, which measures again"
    if not path.is_file():
        raise UserError(f"The measured tensors {path} are missing: {again}.")
    if sha256_of(path) != sha256:
        raise UserError(f"The measured tensors {path} are not those that the plan was made with: {again}.")
    return open_tensor_file(path)
