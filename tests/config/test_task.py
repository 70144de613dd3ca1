"""harness.config.task: profiles are data, and a misspelt one is refused."""

from pathlib import Path

import pytest

from harness.config.task import Limit, load_task
from harness.core import manifests
from harness.core.errors import UserError

DEMO = (manifests.root() / "tasks" / "demo.toml").read_text()


@pytest.mark.parametrize("name", manifests.names("tasks"))
def test_every_shipped_profile_loads_under_its_own_name(name: str) -> None:
    """Forbids a shipped profile that cannot be read, or whose file has another name."""
    assert load_task(name).name == name


def test_the_limits_of_the_campaign() -> None:
    """Forbids confusing GB and GiB: 4 GiB is 4 * 1024^3, the strict profile is under 4 * 10^9."""
    assert load_task("iwslt2026-4gib").limit.bytes == 4 * 1024**3
    strict = load_task("iwslt2026-4gb").limit
    assert (strict.bytes, strict.strict) == (4_000_000_000, True)


def test_strict_limit_refuses_equality() -> None:
    """Forbids that a strict limit admits a model of exactly that size, and that a loose one refuses it."""
    assert not Limit(bytes=10, strict=True).admits(10)
    assert Limit(bytes=10, strict=True).admits(9)
    assert Limit(bytes=10, strict=False).admits(10)
    assert not Limit(bytes=10, strict=False).admits(11)


def test_another_limit_changes_nothing_else() -> None:
    """Forbids that --limit loses strictness or counting."""
    task = load_task("demo")
    changed = task.with_limit(5)
    assert changed.limit.bytes == 5
    assert (changed.limit.strict, changed.limit.counts) == (task.limit.strict, task.limit.counts)
    assert changed.roles == task.roles


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("format_version = 2", "format_version = 99", "format version 99"),
        ("format_version = 2", "", "no valid format_version"),
        ("strict = true", "stritc = true", "stritc"),
        ('prompt = "base"', 'prompt = "bass"', "'bass', which is not defined"),
        ('directions = ["en-de", "en-zh"]', 'directions = ["en-fr"]', "'en-fr' is used but not defined"),
        ('target = "de"', 'target = "nl"', "is defined as 'en-nl'"),
        ("[limit]", "[limit", "not valid TOML"),
    ],
)
def test_a_faulty_profile_is_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """Forbids defaults in place of misspelt keys, dangling references and tracebacks."""
    path = tmp_path / "broken.toml"
    path.write_text(DEMO.replace(old, new))
    with pytest.raises(UserError, match=sentence):
        load_task(str(path))


def test_an_unknown_profile_names_those_that_exist() -> None:
    """Forbids an error that does not list the profiles."""
    with pytest.raises(UserError, match="No manifest named 'iwslt2027' among tasks: there are demo, iwslt2026-4gb"):
        load_task("iwslt2027")


def test_a_direction_that_the_task_lacks_is_one_sentence() -> None:
    """Forbids a KeyError for a direction that is not the task's."""
    assert load_task("demo").language_pair("en-de").target_name == "German"
    with pytest.raises(UserError, match="Task 'demo' has no direction 'en-fr': it has en-de, en-zh"):
        load_task("demo").language_pair("en-fr")
