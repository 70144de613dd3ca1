"""Content keys of requests: they cover what changes the hypotheses, and nothing else."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from harness.config.task import Decoding
from harness.testsets.segments import Segmentation
from tests.helpers.tiny_engine import CHAT, GERMAN, TinySystem


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": CHAT},
        {"language_pair": msgspec.structs.replace(GERMAN, target="zh", target_name="Chinese")},
        {"decoding": Decoding(batch_size=3, max_new_tokens=12)},
        {"decoding": Decoding(batch_size=2, max_new_tokens=13)},
        {"device": "cuda:0"},
        {"dtype": "bfloat16"},
    ],
)
def test_what_changes_the_text_changes_the_key(tiny: TinySystem, changes: dict[str, Any]) -> None:
    """Forbids that hypotheses of one setting are used for another."""
    assert tiny.request(**changes).key != tiny.request().key


def test_the_key_covers_artifact_audio_and_versions(tiny: TinySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that one artifact gets the hypotheses of another, of other audio, or of another version of torch."""
    keys = {
        tiny.request().key,
        tiny.request(artifact=replace(tiny.artifact, id="0" * 64)).key,
        tiny.request(test_set=replace(tiny.test_set, key="0" * 64)).key,
        tiny.request(segmentation=Segmentation("tiny-eval", "gold", tiny.request().segmentation.segments[:-1])).key,
    }
    monkeypatch.setattr("harness.inference.request.version", lambda _library: "99")
    keys.add(tiny.request().key)
    assert len(keys) == 5


def test_what_changes_no_text_changes_no_key(tiny: TinySystem) -> None:
    """Forbids that a note, or the number of a GPU, makes everything be translated again."""
    noted = Decoding(batch_size=2, max_new_tokens=12, note="chosen by hand")
    assert tiny.request(decoding=noted).key == tiny.request().key
    assert tiny.request(device="cuda:0").key == tiny.request(device="cuda:1").key
