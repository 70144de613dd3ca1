"""harness.compression.registry: systems by name."""

import inspect
import shutil
from pathlib import Path

import pytest

import systems
from harness.compression.registry import SYSTEMS, all_systems, get_system, system
from harness.config.task import load_task
from harness.core.errors import UserError
from tests.helpers.commands import run_python
from tests.helpers.tiny_task import write_tiny_task

PAPERS = {
    # Diet-KIT, table 1 and sections 4.2 to 4.5
    "fp16-untuned", "fp16-finetuned", "hqq8", "hqq4", "hqq3", "hqq4-mlp3", "hqq4-emb4", "hqq4-emb2", "hqq4-head2",
    "hqq4-emb2-g128", "hqq4-emb2-g256", "hqq4-emb2-g512", "hqq-contrastive", "hqq-primary",
    "hqq-contrastive-fit", "hqq-primary-fit",
    # table 4
    "hqq-first4", "hqq-last4", "hqq-middle4", "hqq-random4-a", "hqq-random4-b", "hqq-random4-c",
    # table 5
    "hqq-awq-source-128", "hqq-awq-source-256", "hqq-awq-de-128", "hqq-awq-de-256", "hqq-awq-de-all",
    "hqq-awq-zh-128", "hqq-awq-zh-256", "hqq-awq-zh-all",
    # the selected-layer codec paper, table 1
    "fp16-instruct", "bnb-int8", "codec-selected-q3", "codec-selected-q2", "codec-global-q2", "codec-prune-q2",
}  # fmt: skip
LONGEST = 25


def test_the_papers_systems_are_registered() -> None:
    """Forbids losing one of the systems that the papers report; others may be added."""
    assert {entry.name for entry in all_systems()} >= PAPERS


def test_role_and_source_are_recorded() -> None:
    """Forbids an entry that does not record the arguments with which it was registered."""
    arguments = SYSTEMS.entry("hqq4").arguments
    assert arguments == {"role": "finetuned", "source": "Diet-KIT table 1, row 4"}


def test_a_system_reads_like_its_paper() -> None:
    """Forbids a system of more than 25 lines of its own."""
    lengths = {entry.name: len(inspect.getsource(entry.recipe).splitlines()) for entry in all_systems()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


TOY = """
from harness.compression.codecs import Hqq
from harness.compression.recipe import Recipe, rule
from harness.compression.registry import system
from harness.compression.selectors import MLP, last

@system("toy", role="finetuned", source="a test")
def toy() -> Recipe:
    \"\"\"The last layer's MLP at 2 bits.\"\"\"
    return Recipe(rule(MLP & last(1), Hqq(bits=2)))
"""


def test_a_system_is_one_file(tmp_path: Path) -> None:
    """Forbids a new system that needs an edit elsewhere: one new file in `systems` is listed, planned and built."""
    copy = tmp_path / "copy"
    root = Path(systems.__file__).parents[1]
    for folder in ("harness", "systems"):
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "data").symlink_to(root / "data")
    (copy / "systems" / "toy.py").write_text(TOY)
    profile = write_tiny_task(tmp_path / "task")
    listed = run_python("-m", "harness", "list", path=(copy,), folder=copy)
    arguments = ("build", "toy", "--task", str(profile), "--workdir", str(tmp_path / "work"))
    built = run_python("-m", "harness", *arguments, path=(copy,), folder=copy)
    assert "The last layer's MLP at 2 bits." in listed
    assert "PASS" in built


def test_every_role_exists_in_every_profile() -> None:
    """Forbids a system that no profile has a checkpoint for."""
    for name in ("demo", "iwslt2026-4gb", "iwslt2026-4gib"):
        assert {entry.role for entry in all_systems()} <= set(load_task(name).roles)


def test_an_unknown_system_suggests_the_nearest() -> None:
    """Forbids an error without a next step."""
    with pytest.raises(UserError, match="did you mean hqq4"):
        get_system("hqq44")
    with pytest.raises(UserError, match="harness list"):
        get_system("zzz")


def test_a_name_is_taken_once() -> None:
    """Forbids that one module silently replaces another module's system."""
    all_systems()
    with pytest.raises(UserError, match="Two entries register the system 'hqq4'"):
        system("hqq4", role="finetuned", source="here")(get_system("hqq4").recipe)
