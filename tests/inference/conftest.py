"""Fixtures of the inference tests."""

import pytest

from tests.helpers.tiny_engine import TinySystem, load_engine, tiny_artifact, tiny_test_set


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinySystem:
    """Return a tiny system with its test set; tests must not change it."""
    folder = tmp_path_factory.mktemp("tiny-system")
    artifact = tiny_artifact(folder)
    return TinySystem(artifact, tiny_test_set(folder), load_engine(artifact))
