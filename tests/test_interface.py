"""The public Python interface of the package."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import harness


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
