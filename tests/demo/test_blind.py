"""data/demo/blind: six sets in the form of the campaign's downloads."""

import json
from functools import cache

import pytest

from demo.synthesise import split_sentences
from harness.audio.decode_worker import decode
from harness.audio.recording import open_recording
from harness.core.manifests import data_root
from harness.core.workdir import open_workdir
from harness.testsets.load import load_test_set
from harness.testsets.testset import TestSet

BLIND = data_root() / "data" / "demo" / "blind"
SETS = ("ACL6060", "BUSINESSNEWS", "CALLCENTER", "CHALLENGEACCENT", "TVSERIES", "YOUTUBE")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TestSet]:
    """Return all six, imported; audio is decoded in this process, since these files are trusted."""
    patch = pytest.MonkeyPatch()
    patch.setattr("harness.audio.inspect._decode", lambda source, target, _limit: decode(source, target))
    workdir = open_workdir(str(tmp_path_factory.mktemp("blind")))
    found = {name: load_test_set(f"demo-{name}", workdir) for name in SETS}
    patch.undo()
    return found


def test_each_set_has_two_recordings_of_one_to_three_minutes(sets: dict[str, TestSet]) -> None:
    """Forbids sets that are too short to show segmentation, or have other names than the campaign's."""
    for name, test_set in sets.items():
        assert test_set.campaign_name == name
        assert len(test_set.file_order) >= 2
        lengths = [open_recording(test_set.audio / wav).seconds for wav in test_set.file_order]
        assert all(60 <= seconds <= 180 for seconds in lengths), (name, lengths)


def test_one_set_has_no_references_one_no_transcripts_one_gold_segments(sets: dict[str, TestSet]) -> None:
    """Forbids that the demo lacks kinds of sets that the campaign has and that must be translated."""
    assert {name for name, one in sets.items() if not one.references} == {"YOUTUBE"}
    assert {name for name, one in sets.items() if one.source is None} == {"CALLCENTER"}
    assert {name for name, one in sets.items() if one.gold is not None} == {"CHALLENGEACCENT"}
    assert set(sets["CHALLENGEACCENT"].references) == {"de"}


def test_file_order_is_not_the_order_of_names(sets: dict[str, TestSet]) -> None:
    """Forbids a demo on which sorted recordings equal FILE_ORDER."""
    assert sum(list(one.file_order) != sorted(one.file_order) for one in sets.values()) >= 3


def test_the_telephone_set_has_its_own_rate(sets: dict[str, TestSet]) -> None:
    """Forbids a telephone set at 16 kHz, and findings on the other sets."""
    for name, test_set in sets.items():
        rules = {finding.rule for finding in test_set.findings}
        assert rules == ({"audio-rate"} if name == "CALLCENTER" else set()), name


@cache
def known_sentences() -> set[str]:
    """Return every sentence of the other splits."""
    return {one.en for name, split in split_sentences().items() if name != "blind" for one in split}


def test_blind_sentences_occur_in_no_other_split(sets: dict[str, TestSet]) -> None:
    """Forbids that a system was trained or tuned on a blind set's sentences, or that a sentence comes twice."""
    lines = [line for one in sets.values() for line in one.source or ()]
    assert len(lines) > 250
    assert len(set(lines)) == len(lines)
    assert not set(lines) & known_sentences()
    talks = [json.loads(line)["de"] for split in ("dev", "eval") for line in _rows(split)]
    assert not set(sets["CALLCENTER"].references["de"]) & set(talks)


def _rows(split: str) -> list[str]:
    return (BLIND.parent / "corpus" / split / "sentences.jsonl").read_text("utf-8").splitlines()


def test_business_news_is_about_numbers(sets: dict[str, TestSet]) -> None:
    """Forbids a business set without numbers: every sentence has one."""
    assert all(any(character.isdigit() for character in line) for line in sets["BUSINESSNEWS"].source or ("",))
