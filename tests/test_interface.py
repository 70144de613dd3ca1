"""The public Python interface of the package, and its example in the README."""

import ast
import contextlib
import importlib
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHIVE = "DEMO_IWSLT26_ModelCompression_en-de_constrained_primary.zip"


def _example() -> str:
    """Return the lines of the README's example."""
    found = re.findall(r"<!-- python: interface -->\n```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids an example that does not run, and one that gives another size than the README's table of results."""
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile(tmp_path / ARCHIVE, "w") as archive:
        archive.writestr("MODELCOMPRESSION/ACL6060/en_de.txt", "Eins.\n")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(_example(), "README.md", "exec"), {})  # noqa: S102 - the README is ours
    (row,) = [line.split("|") for line in README.splitlines() if "| `hqq4-emb2-g128` |" in line]
    size, *findings = printed.getvalue().splitlines()
    assert size == f"{row[6].strip()} bytes: {row[7].strip()}"
    assert any(ARCHIVE in finding and finding.startswith("warning") for finding in findings)  # no description beside it
    assert any("[directory-entry]" in finding for finding in findings)


def test_every_public_name_can_be_imported() -> None:
    """Forbids a name in `__all__` that does not exist, and one of which a type checker knows another origin."""
    tree = ast.parse(Path(harness.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness.")
        for alias in node.names
    }
    assert set(harness.__all__) == {*typed, "__version__"}
    for name, module in typed.items():
        assert module is not None
        assert getattr(harness, name) is getattr(importlib.import_module(module), name)
    assert set(harness.__all__) <= set(dir(harness))
    with pytest.raises(AttributeError, match="module 'harness' has no attribute 'load_tusk'"):
        getattr(harness, "load_tusk")  # noqa: B009 - a type checker would refuse the plain form


def test_importing_the_package_imports_nothing_else() -> None:
    """Forbids that `import harness` takes longer than it needs to, or imports torch."""
    code = "import sys, harness; print(*(n for n in sys.modules if n.startswith('harness.')), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_types_are_shipped() -> None:
    """Forbids that type checkers ignore the package's annotations, which they do without `py.typed` (PEP 561)."""
    assert (Path(harness.__file__).parent / "py.typed").is_file()
