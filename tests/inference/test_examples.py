"""Segments as input of the model: what cannot be translated is refused before it is decoded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.inference.features import extract_features
from harness.inference.generate import generate
from harness.testsets.segments import Segment, Segmentation
from tests.helpers.tiny_engine import TinySystem, no_engine


def test_a_segment_over_the_window_is_refused(tiny: TinySystem, workdir: WorkDir) -> None:
    """Forbids that the feature extractor cuts a segment longer than the audio window: 2 s in the tiny model."""
    wav = tiny.request().segmentation.segments[0].wav
    long = Segmentation("tiny-eval", "by hand", (Segment(wav, 0.0, 2.0), Segment(wav, 0.25, 2.01)))
    with pytest.raises(UserError, match=rf"1 segment.* audio window of 2 s, .*{wav} at 0\.25 s \(2\.01 s\)"):
        generate(tiny.request(segmentation=long), workdir, lambda: tiny.engine)
    with pytest.raises(UserError, match="cut silently"):
        extract_features(torch.zeros(32_001).numpy(), tiny.engine.processor.feature_extractor)


def test_a_segment_without_audio_tokens_is_refused(tiny: TinySystem, workdir: WorkDir) -> None:
    """Forbids a segment without a single audio token, which would be translated from the prompt alone."""
    wav = tiny.request().segmentation.segments[0].wav
    short = Segmentation("tiny-eval", "by hand", (Segment(wav, 0.5, 0.015),))
    with pytest.raises(UserError, match=rf"{wav} at 0\.50 s .*gives no audio token"):
        generate(tiny.request(segmentation=short), workdir, lambda: tiny.engine)


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "is missing"), (b"", "is empty"), (b"noise", "cannot be read")]
)
def test_unreadable_audio_is_refused_before_the_model_is_loaded(
    tiny: TinySystem, tmp_path: Path, workdir: WorkDir, content: bytes | None, sentence: str
) -> None:
    """Forbids that a missing, empty or corrupt recording is translated, or found only after an hour of work."""
    for path in tiny.test_set.audio.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    broken = tmp_path / tiny.test_set.file_order[2]
    broken.unlink()
    if content is not None:
        broken.write_bytes(content)
    test_set = replace(tiny.test_set, audio=tmp_path, key="another")
    with pytest.raises(UserError, match=rf"{broken.name}.*{sentence}"):
        generate(tiny.request(test_set=test_set), workdir, no_engine)


def test_stereo_is_translated_and_recorded(
    tiny: TinySystem, tmp_path: Path, workdir: WorkDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forbids an error on stereo, and averaging that is not recorded; equal channels give the mono text."""
    for path in tiny.test_set.audio.iterdir():
        samples = soundfile.read(path, dtype="int16")[0]
        soundfile.write(tmp_path / path.name, np.stack([samples, samples], axis=1), 16_000, subtype="PCM_16")
    test_set = replace(tiny.test_set, audio=tmp_path, key="stereo")
    made = generate(tiny.request(test_set=test_set), workdir, lambda: tiny.engine)
    mono = generate(tiny.request(), workdir, lambda: tiny.engine)
    assert [row.text for row in made.hypotheses] == [row.text for row in mono.hypotheses]
    assert [finding.rule for finding in made.findings] == ["audio-channels"] * 3
    assert "has 2 channels, which are averaged" in capsys.readouterr().err
    assert mono.findings == ()
