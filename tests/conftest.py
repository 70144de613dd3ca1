"""Fixtures that tests share. A checkpoint fixture is made once per process: never change it, copy it."""

from pathlib import Path

import pytest

from harness.core.workdir import WorkDir, open_workdir
from harness.models.checkpoint import Checkpoint, open_checkpoint
from tests.helpers.tiny_model import TinyModel, write_tiny_model


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a tiny random checkpoint in bfloat16, one weight file."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def sharded_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the same checkpoint in several shards."""
    return write_tiny_model(tmp_path_factory.mktemp("sharded"), TinyModel(shard_bytes=100_000))


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_directory: Path) -> Checkpoint:
    """Return the tiny checkpoint, opened."""
    return open_checkpoint(tiny_directory)


@pytest.fixture
def workdir(tmp_path: Path) -> WorkDir:
    """Return an empty work directory."""
    return open_workdir(str(tmp_path / "work"))
