"""harness.segmentation.segmenter: the registry, and a segmenter of an installed package."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from harness.config.segmentation import Segmenting
from harness.core import registry as registry_module
from harness.core.errors import UserError
from harness.core.registry import Registry
from harness.core.workdir import WorkDir
from harness.segmentation import check_methods, segment, segmenter_names
from harness.segmentation.segmenter import SEGMENTERS, Segmenter
from harness.testsets.load import load_test_set
from tests.helpers.tiny_corpus import rows, write_corpus, write_manifest

PLUGIN = """
from harness.segmentation.segmenter import Basis, SegmentationResult, Segmenter
from harness.testsets.segments import Segment, Segmentation
import tests.segmentation.test_segmenter as test

def _first_second(request):
    length = float(request.settings.options["first"]["seconds"])
    segments = tuple(Segment(wav, 0.0, length) for wav in request.test_set.file_order)
    return SegmentationResult(Segmentation(request.test_set.name, f"first|{length:g}", segments))

test.FRESH.add("first", Segmenter(Basis.LENGTH, _first_second), __name__)
"""
FRESH: Registry[Segmenter] = Registry("segmenter", "harness.segmentation.silero", "segmenters")
"""A registry that has scanned nothing yet, so that the entry point of the test is loaded into it alone."""


def test_names_come_by_what_segmenters_need() -> None:
    """Forbids tables in another order than gold, models, audio, length."""
    known = ("gold", "shas", "silero", "pause", "fixed")
    assert tuple(name for name in segmenter_names() if name in known) == known


def test_an_unknown_method_is_refused_before_anything_runs() -> None:
    """Forbids that a misspelt method of a task is found only when its set is segmented."""
    with pytest.raises(UserError, match="No segmenter is named 'gould': did you mean gold"):
        check_methods(Segmenting(default="gould"))
    with pytest.raises(UserError, match="No segmenter is named 'shass': did you mean shas"):
        check_methods(Segmenting(sets={"x": "shass"}))
    check_methods(Segmenting(default="file:anywhere.yaml", sets={"x": "pause"}))


def test_an_installed_package_adds_a_segmenter(
    tmp_path: Path, workdir: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that a segmenter needs an edit of the harness, and that it cannot have settings of its own."""
    (tmp_path / "my_segmenter.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("first", "my_segmenter", "stcompress.segmenters")
    monkeypatch.setattr(registry_module, "entry_points", lambda group: [point] if group.endswith(".segmenters") else [])
    monkeypatch.setattr(sys.modules["harness.segmentation.segment"], "SEGMENTERS", FRESH)
    write_corpus(tmp_path / "corpus" / "eval", rows(2))
    test_set = load_test_set(write_manifest(tmp_path / "tiny.toml", tmp_path / "corpus"), workdir)
    settings = Segmenting(default="first", options={"first": {"seconds": 0.5}})
    made = segment(test_set, settings, workdir)
    assert [one.duration for one in made.segments] == [0.5] * 3
    assert "first" not in SEGMENTERS
