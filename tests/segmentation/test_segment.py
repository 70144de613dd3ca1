"""harness.segmentation: methods by name, stored results, and what is computed only once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio.recording import RATE, Recording, write_pcm
from harness.config.segmentation import ShasSettings
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.segmentation import Segmenting, coverage_of, segment, segment_with_findings
from harness.segmentation.shas.frame_classifier import ShasFrameClassifier
from harness.segmentation.shas.model import ShasModel
from harness.testsets.load import load_test_set
from harness.testsets.testset import TestSet
from tests.helpers.tiny_corpus import TALKS, rows, write_corpus, write_manifest
from tests.helpers.tiny_shas import tiny_settings

calls: list[int] = []
"""Number of windows in each call of the model."""


@pytest.fixture
def test_set(tmp_path: Path, workdir: WorkDir) -> TestSet:
    """Return three talks of noise with four gold segments each."""
    write_corpus(tmp_path / "corpus" / "eval", rows(4))
    return load_test_set(write_manifest(tmp_path / "tiny.toml", tmp_path / "corpus"), workdir)


@pytest.fixture
def by_loudness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the model by a measure of loudness: frames under the median of their window are not speech."""

    def classify(
        _: ShasModel, windows: Sequence[NDArray[np.float32]], counts: Sequence[int]
    ) -> list[NDArray[np.float32]]:
        calls.append(len(windows))
        return [_loudness(window, count) for window, count in zip(windows, counts, strict=True)]

    calls.clear()
    monkeypatch.setattr(ShasModel, "classify", classify)


def _loudness(window: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    power = np.array([np.square(part).mean() for part in np.array_split(window, count)])
    return np.asarray(power / (power + np.median(power)), dtype=np.float32)


def test_gold_is_what_came_with_the_set(test_set: TestSet, workdir: WorkDir) -> None:
    """Forbids that `gold` is anything but the released segments, and that an unsegmented set passes as one."""
    settings = Segmenting()
    assert segment(test_set, settings, workdir) is test_set.gold
    with pytest.raises(UserError, match="has no gold segments"):
        segment(replace(test_set, gold=None), settings, workdir)


def test_the_set_decides_the_method(test_set: TestSet, workdir: WorkDir) -> None:
    """Forbids another method than the task names for a set; its own name takes precedence over the campaign's."""
    settings = Segmenting(default="fixed", max_seconds=1.0, sets={"TINY": "shas", "tiny-eval": "gold"})
    assert segment(test_set, settings, workdir) is test_set.gold
    assert segment(replace(test_set, name="other", campaign_name="OTHER"), settings, workdir).method == "fixed|max:1"
    with pytest.raises(UserError, match=r"mult_sfc_model_epoch-4\.pt is missing"):
        segment(replace(test_set, name="other"), settings, workdir)


@pytest.mark.usefixtures("by_loudness")
def test_other_limits_classify_nothing_again(test_set: TestSet, workdir: WorkDir, tmp_path: Path) -> None:
    """Forbids that the encoder runs twice on a recording, for the same limits or for others."""
    settings = tiny_settings(tmp_path)
    first = segment(test_set, settings, workdir)
    assert len(calls) == len(TALKS)
    assert segment(test_set, settings, workdir) == first
    shorter = segment(test_set, msgspec.structs.replace(settings, max_seconds=0.5), workdir)
    assert len(calls) == len(TALKS)
    assert shorter.key != first.key
    assert [one.wav for one in first.segments] == sorted((one.wav for one in first.segments), key=_place(test_set))
    assert max(one.duration for one in first.segments) < 1.0
    assert max(one.duration for one in shorter.segments) < 0.5


def _place(test_set: TestSet):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return test_set.file_order.index


@pytest.mark.usefixtures("by_loudness")
def test_a_stopped_run_goes_on_with_the_next_recording(
    test_set: TestSet, workdir: WorkDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that a stopped run classifies a recording twice, or gives other segments than an undisturbed one."""
    settings = tiny_settings(tmp_path)
    undisturbed = segment(test_set, settings, WorkDir(tmp_path / "elsewhere"))
    calls.clear()
    usual = ShasModel.classify

    def stopped(model: ShasModel, *arguments: object) -> object:
        if len(calls) == 2:
            raise KeyboardInterrupt("stopped")
        return usual(model, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ShasModel, "classify", stopped)
    with pytest.raises(KeyboardInterrupt, match="stopped"):
        segment(test_set, settings, workdir)
    monkeypatch.setattr(ShasModel, "classify", usual)
    assert segment(test_set, settings, workdir) == undisturbed
    assert len(calls) == len(TALKS)


@pytest.mark.usefixtures("by_loudness")
def test_several_passes_are_averaged(test_set: TestSet, workdir: WorkDir, tmp_path: Path) -> None:
    """Forbids that passes with shifted windows share a stored result with one pass, or are fewer than asked for."""
    settings = tiny_settings(tmp_path)
    once = segment(test_set, settings, workdir)
    once_calls = len(calls)
    twice = msgspec.structs.replace(settings, shas=msgspec.structs.replace(settings.shas, inference_times=2))
    assert segment(test_set, twice, workdir).key != once.key
    assert len(calls) == 3 * once_calls


def test_a_silent_recording_has_no_segment(test_set: TestSet, workdir: WorkDir, tmp_path: Path) -> None:
    """Forbids a segment of 0.0 s, and that silence goes unreported."""
    write_pcm(test_set.audio / test_set.file_order[1], bytes(2 * 3 * RATE))
    made = segment_with_findings(replace(test_set, name="silent"), tiny_settings(tmp_path), workdir)
    assert test_set.file_order[1] not in {one.wav for one in made.segmentation.segments}
    assert [one.path for one in made.findings if one.rule == "no-speech"] == [test_set.file_order[1]]


def test_a_replaced_checkpoint_is_refused(test_set: TestSet, workdir: WorkDir, tmp_path: Path) -> None:
    """Forbids another checkpoint than that of the first use, or that which the task names."""
    settings = tiny_settings(tmp_path)
    segment(test_set, settings, workdir)
    with settings.shas.checkpoint_path.open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(UserError, match="recorded at first use"):
        segment(test_set, settings, workdir)
    pinned = msgspec.structs.replace(settings, shas=msgspec.structs.replace(settings.shas, sha256="0" * 64))
    with pytest.raises(UserError, match="but the task names 0000"):
        segment(test_set, pinned, workdir)


def test_damaged_results_are_refused(test_set: TestSet, workdir: WorkDir, tmp_path: Path) -> None:
    """Forbids that a damaged file, or one of a newer format, passes as a result."""
    settings = tiny_settings(tmp_path)
    segment(test_set, settings, workdir)
    stored = next(workdir.segmentations.glob("tiny-eval-*.json"))
    stored.write_text('{"format_version": 99}')
    with pytest.raises(UserError, match="has format version 99"):
        segment(test_set, settings, workdir)
    stored.write_text('{"format_version": 2}')
    with pytest.raises(UserError, match="remove it and run this again"):
        segment(test_set, settings, workdir)
    stored.unlink()
    frames = next((workdir.segmentations / "frames").glob("*.npy"))
    content = bytearray(frames.read_bytes())
    content[-1] ^= 1
    frames.write_bytes(content)
    with pytest.raises(UserError, match=r"was changed after it was written: remove it and the \.json file beside it"):
        segment(test_set, settings, workdir)
    frames.with_suffix(".json").unlink()
    assert segment(test_set, settings, workdir).segments


def test_a_segmentation_made_elsewhere_is_read(test_set: TestSet, workdir: WorkDir, tmp_path: Path) -> None:
    """Forbids changed segments, and another order of recordings than FILE_ORDER's."""
    path = tmp_path / "other.yaml"
    order = test_set.file_order
    path.write_text("".join(f"- {{wav: {wav}, offset: 0.25, duration: 1}}\n" for wav in reversed(order)))
    made = segment(test_set, Segmenting(default=f"file:{path}"), workdir)
    assert [(one.wav, one.offset, one.duration) for one in made.segments] == [(wav, 0.25, 1.0) for wav in order]
    assert made.method.startswith("file:")
    path.write_text(f"- {{wav: {order[0]}, offset: 2, duration: 1000}}\n")
    with pytest.raises(UserError, match="exceeds"):
        segment(test_set, Segmenting(default=f"file:{path}"), workdir)
    path.write_text("- {wav: stranger.wav, offset: 2, duration: 1}\n")
    with pytest.raises(UserError, match=r"'stranger\.wav', which is not in FILE_ORDER"):
        segment(test_set, Segmenting(default=f"file:{path}"), workdir)


def test_coverage_is_against_gold_where_there_is_any(test_set: TestSet, workdir: WorkDir) -> None:
    """Forbids that gold segments drop speech by their own measure, and gold figures for a set without gold segments."""
    assert test_set.gold is not None
    report = coverage_of(test_set, test_set.gold, workdir)
    assert (report.against, report.dropped_seconds, report.lost) == ("gold", 0.0, 0)
    pytest.importorskip("silero_vad")
    assert coverage_of(replace(test_set, gold=None), test_set.gold, workdir).against == "silero"


def test_five_hours_are_never_held_whole(workdir: WorkDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids reading more than one batch of windows at a time, however long the recording is."""
    settings = ShasSettings(checkpoint=str(tmp_path / "none.pt"), encoder=str(tmp_path))
    seconds: list[float] = []

    def read(_: Recording, __: float, duration: float) -> NDArray[np.float32]:
        seconds.append(duration)
        return np.zeros(1, np.float32)

    class Model:
        def classify(self, windows: Sequence[NDArray[np.float32]], counts: Sequence[int]) -> list[NDArray[np.float32]]:
            calls.append(len(windows))
            return [np.full(count, 0.25, np.float32) for count in counts]

    calls.clear()
    monkeypatch.setattr("harness.segmentation.shas.frame_classifier.read_stretch", read)
    monkeypatch.setattr(ShasFrameClassifier, "_model", Model())
    frames = ShasFrameClassifier(settings, "cpu", workdir).classify(
        Recording(tmp_path / "long.wav", RATE, 1, 5 * 3600 * RATE), lambda _: None
    )
    assert sum(seconds) == pytest.approx(5 * 3600)
    assert max(seconds) < 22
    assert max(calls) == 12
    assert len(frames.probabilities) == 5 * 3600 * 49.95
    assert set(frames.probabilities) == {0.25}
