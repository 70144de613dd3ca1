"""Stored hypotheses: complete, verified and found by their content key."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.inference.generate import generate
from harness.inference.generation_store import load_hypotheses
from tests.helpers.tiny_engine import CHAT, TinySystem, no_engine


@pytest.fixture
def stored(tiny: TinySystem, workdir: WorkDir) -> Path:
    """Return the folder of the stored hypotheses of a request."""
    return workdir.hypotheses / generate(tiny.request(), workdir, lambda: tiny.engine).key


def test_what_is_stored_needs_no_model(tiny: TinySystem, workdir: WorkDir) -> None:
    """Forbids decoding twice, and that the stored set differs from the returned one."""
    made = generate(tiny.request(), workdir, lambda: tiny.engine)
    assert generate(tiny.request(), workdir, no_engine) == made
    assert [path.name for path in workdir.hypotheses.iterdir()] == [made.key]
    found = sorted(path.name for path in (workdir.hypotheses / made.key).iterdir())
    assert found == ["header.json", "hypotheses.jsonl"]
    assert load_hypotheses(workdir.hypotheses / made.key) == made


def test_what_is_stored_needs_no_torch(tiny: TinySystem, tmp_path: Path, workdir: WorkDir) -> None:
    """Forbids that a run in which nothing changed imports heavy libraries."""
    generate(tiny.request(), workdir, lambda: tiny.engine)
    corpus = tiny.test_set.audio.parents[6]
    program = (
        "import sys; from pathlib import Path; from harness.compression.artifact import open_artifact;"
        "from harness.testsets.load import load_test_set; from harness.inference.generate import generate;"
        "from harness.core.workdir import open_workdir; from tests.helpers.tiny_engine import no_engine, request_for;"
        f"test_set = load_test_set({str(corpus / 'tiny.toml')!r}, open_workdir({str(corpus / 'work')!r}));"
        f"artifact = open_artifact(Path({str(tiny.artifact.path)!r}), Path({str(tmp_path)!r}));"
        "made = generate(request_for(artifact, test_set), "
        f"open_workdir({str(workdir.root)!r}), no_engine);"
        "heavy = {'torch', 'transformers', 'soundfile', 'scipy'} & set(sys.modules);"
        "print(len(made.hypotheses), sorted(heavy))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.stdout == "12 []\n", result.stderr


def test_an_edited_set_is_refused(stored: Path) -> None:
    """Forbids that an edited translation is scored as the model's."""
    path = stored / "hypotheses.jsonl"
    path.write_text(path.read_text().replace('"index":3', '"index":4'))
    with pytest.raises(UserError, match=r"was changed after it was written: .* generate again"):
        load_hypotheses(stored)


def test_an_edited_header_is_refused(stored: Path) -> None:
    """Forbids that hypotheses are taken for those of another artifact or test set by an edit of their header."""
    header = json.loads((stored / "header.json").read_text())
    header["value"]["test_set"] = "another"
    (stored / "header.json").write_text(json.dumps(header))
    with pytest.raises(UserError, match="was changed after it was written"):
        load_hypotheses(stored)


def test_a_renamed_set_is_refused(tiny: TinySystem, stored: Path, workdir: WorkDir) -> None:
    """Forbids that a folder which was copied or renamed is taken for the hypotheses of another request."""
    other = tiny.request(prompt=CHAT)
    shutil.copytree(stored, workdir.hypotheses / other.key)
    with pytest.raises(UserError, match="of other inputs than its name says"):
        load_hypotheses(workdir.hypotheses / other.key)
    with pytest.raises(UserError, match="of other inputs than its name says"):
        generate(other, workdir, no_engine)


def test_a_set_of_a_newer_format_is_refused(stored: Path) -> None:
    """Forbids reading the folder of a newer version as if its format were known."""
    header = json.loads((stored / "header.json").read_text())
    (stored / "header.json").write_text(json.dumps({**header, "format_version": header["format_version"] + 1}))
    with pytest.raises(UserError, match="upgrade the harness"):
        load_hypotheses(stored)


def test_a_missing_set_is_a_users_mistake(workdir: WorkDir) -> None:
    """Forbids a traceback where an evaluation names hypotheses that were removed."""
    with pytest.raises(UserError, match="holds no hypotheses that this version can read: generate them again"):
        load_hypotheses(workdir.hypotheses / ("0" * 64))
