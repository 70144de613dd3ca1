"""Stores: a result is found by its inputs, and nothing else is ever taken for it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.core.errors import NewerFormatError, UserError
from harness.core.store import Store, StoreEntry


class Weight(msgspec.Struct, frozen=True):
    """A value to store."""

    grams: float
    labels: tuple[str, ...] = ()


WEIGHTS = Store("weight", Weight, 3)


def _entry(folder: Path, what: str = "apple") -> StoreEntry[Weight]:
    return WEIGHTS.entry(folder, ["fruit", what])


def test_a_result_is_made_once(tmp_path: Path) -> None:
    """Forbids that stored work is done again, and that a value changes on its way through the file."""
    made = Weight(0.1 + 0.2, ("größe",))
    assert _entry(tmp_path).read() is None
    assert _entry(tmp_path).get(lambda: made) == made
    assert _entry(tmp_path).get(lambda: pytest.fail("made again")) == made
    assert WEIGHTS.open(_entry(tmp_path).path) == made


def test_kind_format_and_inputs_are_the_key(tmp_path: Path) -> None:
    """Forbids that two results share a name because only one of kind, format and inputs is looked at."""
    stores = (WEIGHTS, Store("mass", Weight, 3), Store("weight", Weight, 4))
    keys = {store.key(inputs) for store in stores for inputs in (["a"], ["b"])}
    assert len(keys) == 6
    labelled = WEIGHTS.entry(tmp_path, ["a"], "apple")
    assert labelled.key == WEIGHTS.key(["a"])
    assert labelled.path.name == f"apple-{labelled.key[:32]}.json"


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return edit


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "value edited": (_edited(lambda c: c["value"].update(grams=1.0)), "was changed after it was written"),
    "value and checksum of another type": (_edited(lambda c: c.update(value=7)), "was changed after"),
    "inputs edited": (_edited(lambda c: c.update(inputs=["fruit", "pear"])), "of other inputs than its name says"),
    "key edited": (_edited(lambda c: c.update(key="0" * 64)), "of other inputs than its name says"),
    "kind edited": (_edited(lambda c: c.update(kind="mass")), "holds a stored mass, not a weight"),
    "field missing": (_edited(lambda c: c.pop("checksum")), "is not a stored weight"),
    "no object": (lambda path: path.write_text("[]"), "states no valid format_version"),
    "no JSON": (lambda path: path.write_text("{"), "is not valid JSON"),
}


@pytest.mark.parametrize(("damage", "sentence"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[Path], object], sentence: str) -> None:
    """Forbids that a file which was edited by hand passes for a result; only `recall` makes it again."""
    entry = _entry(tmp_path)
    entry.write(Weight(1.5))
    damage(entry.path)
    with pytest.raises(UserError, match=sentence):
        entry.read()
    with pytest.raises(UserError, match=sentence):
        WEIGHTS.open(entry.path)
    assert entry.recall() is None


def test_a_copied_file_is_refused(tmp_path: Path) -> None:
    """Forbids that one result passes for another because a file has its name."""
    _entry(tmp_path, "pear").write(Weight(2.0))
    _entry(tmp_path, "apple").path.write_bytes(_entry(tmp_path, "pear").path.read_bytes())
    with pytest.raises(UserError, match="of other inputs than its name says"):
        _entry(tmp_path, "apple").read()


def test_formats(tmp_path: Path) -> None:
    """Forbids to guess at a newer envelope, and to stop at files from before there were envelopes."""
    entry = _entry(tmp_path)
    entry.path.write_text('{"format_version": 99}')
    with pytest.raises(NewerFormatError, match="format version 99"):
        entry.read()
    entry.path.write_text('{"format_version": 1, "grams": 3.0}')
    assert entry.read() is None
    with pytest.raises(UserError, match="older version"):
        WEIGHTS.open(entry.path)
