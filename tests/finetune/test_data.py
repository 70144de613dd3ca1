"""The training manifest and the order of its rows."""

import json
from pathlib import Path

import pytest

from harness.core.errors import UserError
from harness.finetune.batches import RowOrder
from harness.finetune.data import read_rows
from tests.helpers.finetuning import ROWS, with_training, write_manifest, write_noise

LANGUAGES = frozenset({"de", "zh"})
GOOD = {"audio": "0.wav", "language": "de", "text": "Hallo", "dataset": "toy-train"}


def test_rows_are_read(tmp_path: Path) -> None:
    """Forbids a lost row, and lengths other than the audio's: the helper writes 0.7 s for the third row."""
    rows = read_rows(write_manifest(tmp_path), LANGUAGES, window=2.0)
    assert len(rows) == ROWS
    assert (rows[2].duration, rows[2].language, rows[2].text) == (0.7, "de", "Ein Satz, der länger ist.")
    assert rows[2].audio_sha256 == rows[3].audio_sha256 != rows[4].audio_sha256


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"language": "fr"}, "'fr' is not among the recipe's languages (de, zh)"),
        ({"text": "  "}, "the text is empty"),
        ({"audio": "nowhere.wav"}, "nowhere.wav is missing"),
        ({"audio": "text.wav"}, "cannot be read as audio"),
        ({"audio": "long.wav"}, "the model's audio window is 2 s"),
        ({"offset": 0.4, "duration": 0.2}, "has only 0.50 s"),
        ({"duration": -1}, "duration"),
        ({"speaker": "x"}, "speaker"),
        ({"dataset": ""}, "dataset"),
    ],
)
def test_bad_row_is_named(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    """Forbids that a bad row is trained on, or refused without its line number."""
    write_noise(tmp_path / "0.wav", 0.5)
    write_noise(tmp_path / "long.wav", 2.1)
    (tmp_path / "text.wav").write_text("no audio")
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(json.dumps(GOOD) + "\n" + json.dumps({**GOOD, **change}) + "\n")
    with pytest.raises(UserError, match=r"m\.jsonl, line 2: ") as caught:
        read_rows(manifest, LANGUAGES, window=2.0)
    assert sentence in str(caught.value)


def test_every_bad_row_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Forbids that a user finds the faults of a manifest one run at a time."""
    write_noise(tmp_path / "0.wav", 0.5)
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("{\n" + json.dumps(GOOD) + "\n" + json.dumps({**GOOD, "text": ""}) + "\n")
    with pytest.raises(UserError, match="has 2 bad rows"):
        read_rows(manifest, LANGUAGES, window=2.0)
    logged = capsys.readouterr().err
    assert "line 1: " in logged
    assert "line 3: " in logged


def test_empty_manifest_is_refused(tmp_path: Path) -> None:
    """Forbids training without data."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("\n")
    with pytest.raises(UserError, match="has no rows"):
        read_rows(manifest, LANGUAGES, window=2.0)


@pytest.mark.parametrize("grouped", [False, True])
def test_every_row_once_per_epoch(grouped: bool) -> None:
    """Forbids an epoch that skips or repeats a row, or that repeats the order of the epoch before."""
    training = with_training(batch_size=4, gradient_accumulation=2, group_by_length=grouped).training
    lengths = [1.0 + index % 5 for index in range(23)]
    order = RowOrder(lengths, training)
    epochs = [[row for step in range(3) for batch in order.step(3 * epoch + step) for row in batch] for epoch in (0, 1)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(23))
    assert epochs[0] != epochs[1]
    assert [len(batch) for batch in order.step(2)] == [4, 3]


def test_order_depends_on_step_alone() -> None:
    """Forbids that a resumed run, which starts at a late step, trains on other rows than an undisturbed one."""
    training = with_training(batch_size=4, group_by_length=True).training
    lengths = [float(index) for index in range(23)]
    undisturbed = RowOrder(lengths, training)
    steps = [undisturbed.step(step) for step in range(20)]
    assert RowOrder(lengths, training).step(13) == steps[13]


def test_grouping_puts_like_lengths_together() -> None:
    """Forbids that grouping has no effect: in 48 rows of 12 lengths, 4 each, every batch of 4 has one length."""
    training = with_training(batch_size=4, group_by_length=True).training
    lengths = [float(index % 12) for index in range(48)]
    order = RowOrder(lengths, training)
    assert all(len({lengths[row] for row in order.step(step)[0]}) == 1 for step in range(12))
