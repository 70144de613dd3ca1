"""Submission manifests and the campaign's names."""

from pathlib import Path

import msgspec
import pytest

from harness.config.task import load_task
from harness.core import manifests
from harness.core.errors import UserError
from harness.submission.condition import Condition
from harness.submission.manifest import EntryKind, ModelEntry, ModelName, load_submission, model_name, parse_model_name

DEMO = load_task("demo")
NAMES = DEMO.names
MANIFEST = """
format_version = 1
team = "TOY"
task = "demo"
[entries.en-de]
primary = "hqq4"
contrastive = "hqq3"
"""


def _written(folder: Path, text: str) -> str:
    path = folder / "toy.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", manifests.names("submissions"))
def test_every_shipped_submission_loads_for_its_task(name: str) -> None:
    """Forbids a shipped manifest with a team, directions or systems that its task does not have."""
    task = load_task(msgspec.toml.decode(manifests.find("submissions", name).read_bytes())["task"])
    assert load_submission(name, task).model_entries()


def test_entries_come_primary_first(tmp_path: Path) -> None:
    """Forbids losing an entry or mistaking primary for contrastive."""
    submission = load_submission(_written(tmp_path, MANIFEST), DEMO)
    assert submission.condition is None
    assert submission.model_entries() == (
        ModelEntry("en-de", EntryKind.PRIMARY, "hqq4"),
        ModelEntry("en-de", EntryKind.CONTRASTIVE, "hqq3"),
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"demo"', '"iwslt2026-4gb"', "is for task 'iwslt2026-4gb', not 'demo'"),
        ('"TOY"', '"../TOY"', "may contain only letters, digits, dots and hyphens"),
        ('"TOY"', '"MY_TEAM"', "may contain only letters, digits, dots and hyphens"),
        ("en-de", "en-fr", "has no test sets for en-fr"),
        ('"hqq3"', '"hqq33"', "No system is named 'hqq33'"),
        ('"hqq3"', '"hqq4"', "enters hqq4 twice"),
        ("primary =", "main =", "unknown field `main`|required field `primary`"),
        ("[entries.en-de]", 'condition = "free"\n[entries.en-de]', "Invalid enum value 'free'"),
        ('[entries.en-de]\nprimary = "hqq4"\ncontrastive = "hqq3"', "entries = {}", "enters no system"),
    ],
)
def test_an_invalid_manifest_is_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """Forbids a manifest that fails only when archives are written, or gives wrong ones."""
    assert old in MANIFEST
    with pytest.raises(UserError, match=sentence):
        load_submission(_written(tmp_path, MANIFEST.replace(old, new)), DEMO)


def test_a_system_is_entered_only_where_its_role_runs(tmp_path: Path) -> None:
    """Forbids entering a system in a direction in which the task never translates with it."""
    text = MANIFEST.replace('"demo"', '"iwslt2026-4gb"').replace('"hqq3"', '"codec-selected-q2"')
    with pytest.raises(UserError, match="codec-selected-q2 cannot be entered in en-de"):
        load_submission(_written(tmp_path, text), load_task("iwslt2026-4gb"))


def test_model_names_are_the_campaigns() -> None:
    """Forbids another pattern than that of the two published model names, and one that cannot be parsed."""
    kit = ModelName("KIT", "en-de", Condition.UNCONSTRAINED, EntryKind.PRIMARY)
    apg = ModelName("APG", "en-zh", Condition.CONSTRAINED, EntryKind.PRIMARY)
    assert model_name(NAMES, kit) == "KIT_IWSLT26_ModelCompression_en-de_unconstrained_primary"
    assert model_name(NAMES, apg) == "APG_IWSLT26_ModelCompression_en-zh_constrained_primary"
    assert [parse_model_name(NAMES, model_name(NAMES, name)) for name in (kit, apg)] == [kit, apg]


@pytest.mark.parametrize(
    "text",
    [
        "KIT_IWSLT26_ModelCompression_en_de_unconstrained_primary",
        "KIT_IWSLT26_ModelCompression_en-de_open_primary",
        "KIT_IWSLT26_ModelCompression_en-de_constrained_secondary",
        "KIT_IWSLT25_ModelCompression_en-de_constrained_primary",
        "_IWSLT26_ModelCompression_en-de_constrained_primary",
        "KIT_IWSLT26_ModelCompression_en-de_constrained_primary\n",
        "",
    ],
)
def test_other_names_are_not_read(text: str) -> None:
    """Forbids guessing the parts of a name that does not follow the pattern."""
    assert parse_model_name(NAMES, text) is None


@pytest.mark.parametrize("pattern", ["{team}_{pair}", "{team}_{pair}_{condition}_{entry}_{team}", "{team.upper}"])
def test_a_pattern_holds_every_part_once(pattern: str) -> None:
    """Forbids a pattern without a part, with one twice, or with attribute access."""
    names = msgspec.structs.replace(NAMES, model=pattern)
    with pytest.raises(UserError, match="must contain each of"):
        parse_model_name(names, "x")
