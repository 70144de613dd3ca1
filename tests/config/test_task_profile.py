"""harness.config.task_profile: profiles that extend one another."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from harness.config.task import Limit, load_task
from harness.config.task_profile import read_profile
from harness.core import manifests
from harness.core.errors import UserError

TASKS = manifests.root() / "tasks"


def write(path: Path, text: str) -> Path:
    path.write_text(f"format_version = 2\n{text}")
    return path


def test_the_profile_of_4_gib_differs_in_its_limit_alone() -> None:
    """Forbids that the two readings of the campaign's limit are two tasks in any other respect."""
    strict, loose = load_task("iwslt2026-4gb"), load_task("iwslt2026-4gib")
    assert loose.limit == Limit(bytes=4 * 1024**3, strict=False, counts=strict.limit.counts, note=loose.limit.note)
    assert msgspec.structs.replace(loose, name=strict.name, title=strict.title, limit=strict.limit) == strict


def test_tables_are_merged_and_other_values_replaced(tmp_path: Path) -> None:
    """Forbids that a table in a child hides the other keys of its parent's, or that lists are joined."""
    write(tmp_path / "parent.toml", 'name = "p"\nsets = ["a", "b"]\nway = "gold"\n[limit]\nbytes = 5\nnote = "n"\n')
    text = 'name = "c"\nextends = "parent.toml"\nsets = ["c"]\n[limit]\nbytes = 6\n[way]\ndefault = "fixed"\n'
    parent, child = read_profile(write(tmp_path / "child.toml", text))
    assert [path.name for path, _ in (parent, child)] == ["parent.toml", "child.toml"]
    assert child[1] == {
        "name": "c",
        "sets": ["c"],
        "way": {"default": "fixed"},
        "limit": {"bytes": 6, "note": "n"},
    }


def test_a_path_is_relative_to_the_profile_that_states_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that the current folder decides what a profile extends; a chain may end at a profile's name."""
    (tmp_path / "inner").mkdir()
    write(tmp_path / "near.toml", 'name = "near"\nextends = "demo"\n[limit]\nbytes = 7\n')
    far = write(tmp_path / "inner" / "far.toml", 'name = "far"\nextends = "../near.toml"\n')
    monkeypatch.chdir(tmp_path / "inner")
    demo, found = load_task("demo"), load_task(str(far))
    assert (found.name, found.title, found.limit.bytes) == ("far", demo.title, 7)
    assert found.roles == demo.roles


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('name = "x"\nextends = "x.toml"', r"in a cycle \(x.toml -> x.toml\): remove one"),
        ('name = "x"\nextends = "y.toml"', r"in a cycle \(x.toml -> y.toml -> x.toml\): remove one"),
        ('name = "x"\nextends = "gone.toml"', "extends 'gone.toml', but there is no file .*gone.toml"),
        ('name = "x"\nextends = "iwslt2027"', "extends 'iwslt2027', which is not a task profile: there are demo"),
        ('name = "x"\nextends = 3', "`extends` must be a string"),
        ('extends = "demo"', "has no name of its own: add a `name`"),
        ('name = "x"\nextends = "demo"\nroles = 3', "Expected `object`, got `int`"),
    ],
)
def test_what_cannot_be_extended_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """Forbids endless recursion, tracebacks, and a profile that inherits its parent's name."""
    write(tmp_path / "y.toml", 'name = "y"\nextends = "x.toml"\n')
    with pytest.raises(UserError, match=sentence):
        load_task(str(write(tmp_path / "x.toml", text)))


@pytest.mark.parametrize(
    ("parent", "child", "sentence"),
    [
        ("limit.byte = 3", "", r"parent\.toml: .*unknown field `byte`"),
        ("", "limit.byte = 3", r"child\.toml: .*unknown field `byte`"),
        ('roles.untuned.prompt = "bass"', "", r"parent\.toml: role 'untuned' has the prompt 'bass'"),
        ('limit.bytes = "a"', "limit.bytes = 1.5", r"child\.toml: Expected `int`, got `float`"),
    ],
)
def test_an_error_names_the_profile_that_has_the_mistake(
    tmp_path: Path, parent: str, child: str, sentence: str
) -> None:
    """Forbids an error that sends the user to a profile which only inherits the mistake."""
    write(tmp_path / "parent.toml", f'name = "p"\nextends = "demo"\n{parent}\n')
    with pytest.raises(UserError, match=sentence):
        load_task(str(write(tmp_path / "child.toml", f'name = "c"\nextends = "parent.toml"\n{child}\n')))


def test_the_old_name_of_the_guards_is_one_sentence(tmp_path: Path) -> None:
    """Forbids that a profile of format 1 loses its guards silently, or is refused without the new name."""
    old = (TASKS / "demo.toml").read_text().replace("format_version = 2", "format_version = 1")
    path = tmp_path / "old.toml"
    path.write_text(old.replace(".decoding.guards]", ".decoding.caution]"))
    with pytest.raises(
        UserError, match="`caution` of role 'untuned' is called `guards` since task format 2: rename it"
    ):
        load_task(str(path))
    path.write_text(old)
    assert load_task(str(path)) == load_task("demo")


def test_the_shipped_profiles_state_the_newest_format() -> None:
    """Forbids that a copy of a shipped profile is refused an option of the newest format."""
    for path in TASKS.glob("*.toml"):
        assert tomllib.loads(path.read_text())["format_version"] == 2
