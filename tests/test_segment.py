"""harness.segment: methods by name."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.importers import load_test_set
from harness.segment import segment
from harness.workdir import WorkDir
from tests.helpers.tiny_corpus import rows, write_corpus, write_manifest


def test_gold_is_what_came_with_the_set(tmp_path: Path) -> None:
    """Forbids that `gold` is anything but the released segments, and that an unsegmented set passes as one."""
    write_corpus(tmp_path / "corpus" / "eval", rows(1))
    test_set = load_test_set(write_manifest(tmp_path / "tiny.toml", tmp_path / "corpus"), WorkDir(tmp_path / "work"))
    assert segment(test_set, "gold") is test_set.gold
    with pytest.raises(UserError, match="without gold segments"):
        segment(replace(test_set, gold=None), "gold")
    with pytest.raises(UserError, match="No segmentation is named 'gould': there are gold"):
        segment(test_set, "gould")
