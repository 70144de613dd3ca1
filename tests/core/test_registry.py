"""Registries: found by scanning, extended by entry points, without duplicates, with helpful errors."""

import importlib
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.core import registry as module
from harness.core.errors import UserError
from harness.core.registry import Registry, TargetRegistry


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[str]:
    """Return a registry whose package has two modules, `a_warm` and `b_cold`, that register colours."""
    package = tmp_path / "toy_colours"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from harness.core.registry import Registry\nCOLOURS = Registry('colour', 'toy_colours', 'colours')\n"
    )
    for name, colour in (("b_cold", "blue"), ("a_warm", "red")):
        text = f"from toy_colours import COLOURS\nCOLOURS.add('{colour}', '{colour}!', __name__, shade=1)\n"
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy_colours"]:
        del sys.modules[name]
    found: Registry[str] = importlib.import_module("toy_colours").COLOURS
    return found


def _install(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Let one installed package have an entry point of the registry's group."""
    point = EntryPoint("extra", value, "stcompress.colours")
    monkeypatch.setattr(module, "entry_points", lambda group: [point] if group == "stcompress.colours" else [])


def test_modules_are_imported_in_alphabetical_order(colours: Registry[str]) -> None:
    """Forbids that a module must be named anywhere, and an order that depends on the file system."""
    assert [(entry.name, entry.value) for entry in colours] == [("red", "red!"), ("blue", "blue!")]
    assert colours.entry("red").arguments == {"shade": 1}
    assert colours.entry("red").module == "toy_colours.a_warm"
    assert ("red" in colours, "green" in colours) == (True, False)


def test_unknown_names_are_one_sentence_with_a_suggestion(colours: Registry[str]) -> None:
    """Forbids a KeyError, and an error that does not help."""
    with pytest.raises(UserError, match=r"^No colour is named 'bleu': did you mean blue\?$"):
        colours.get("bleu")
    with pytest.raises(UserError, match=r"^No colour is named 'x': there are blue, red\.$"):
        colours.get("x")
    with pytest.raises(UserError, match="No colour is named None"):
        colours.get(None)


def test_a_name_is_registered_once(colours: Registry[str]) -> None:
    """Forbids that one module replaces the entry of another one silently."""
    colours.add("green", "g", "first")
    with pytest.raises(UserError, match="register the colour 'green', in first and in second"):
        colours.add("green", "h", "second")
    assert colours.get("green") == "g"


def test_installed_packages_add_entries(
    colours: Registry[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that an entry needs an edit of the harness."""
    (tmp_path / "toy_plugin.py").write_text("from toy_colours import COLOURS\nCOLOURS.add('violet', 'v', __name__)\n")
    _install(monkeypatch, "toy_plugin")
    assert colours.names == ("red", "blue", "violet")


def test_a_broken_package_is_named_each_time(
    colours: Registry[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that a package which cannot be imported is passed over silently, the second time too."""
    (tmp_path / "toy_broken.py").write_text("import no_such_module_anywhere\n")
    _install(monkeypatch, "toy_broken")
    for _ in range(2):
        with pytest.raises(UserError, match=r"toy_broken cannot be loaded for its colour entry point 'extra' \(Module"):
            colours.get("red")


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TargetRegistry:
    """Return a registry of the target `corners` in a module `toy_square`."""
    (tmp_path / "toy_square.py").write_text("CORNERS = 4\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "toy_square", raising=False)
    return TargetRegistry("shape", "shapes", {"square": "toy_square:CORNERS"})


def _install_shape(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Let one installed package, `toy-shapes`, have an entry point of the group `stcompress.shapes`."""
    point = EntryPoint(name, value, "stcompress.shapes")
    vars(point)["dist"] = SimpleNamespace(name="toy-shapes")
    monkeypatch.setattr(module, "entry_points", lambda group: [point] if group == "stcompress.shapes" else [])


def test_a_target_is_imported_when_it_is_loaded(shapes: TargetRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that listing the names imports the targets, those of installed packages included."""
    _install_shape(monkeypatch, "triangle", "no_such_module_anywhere:CORNERS")
    assert shapes.names == ("square", "triangle")
    assert "toy_square" not in sys.modules
    assert shapes.load("square", int) == 4
    with pytest.raises(UserError, match=r"toy-shapes cannot be loaded for its shape entry point 'triangle' \(Module"):
        shapes.load("triangle", int)


def test_a_target_of_another_type_is_refused(shapes: TargetRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a package's entry of a wrong type fails later with a traceback."""
    _install_shape(monkeypatch, "triangle", "math:pi")
    assert shapes.load("triangle", float) == pytest.approx(3.14159265)
    with pytest.raises(
        UserError, match="shape 'triangle' of the installed package toy-shapes is of type float instead"
    ):
        shapes.load("triangle", int)


def test_a_package_cannot_replace_a_target(shapes: TargetRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that an installed package changes what a name of ours means."""
    _install_shape(monkeypatch, "square", "math:pi")
    with pytest.raises(UserError, match="register the shape 'square', in toy_square:CORNERS and in toy-shapes"):
        shapes.load("circle", int)
    assert shapes.load("square", int) == 4


def test_an_unknown_target_is_one_sentence_with_a_suggestion(shapes: TargetRegistry) -> None:
    """Forbids a KeyError, and an error that does not help."""
    with pytest.raises(UserError, match=r"^No shape is named 'squares': did you mean square\?$"):
        shapes.load("squares", int)


def test_a_package_that_fails_half_way_keeps_its_reason(
    colours: Registry[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that the second look-up blames a name registered twice, and hides why the package failed."""
    text = "from toy_colours import COLOURS\nCOLOURS.add('violet', 'v', __name__)\nraise OSError('no licence')\n"
    (tmp_path / "toy_half.py").write_text(text)
    _install(monkeypatch, "toy_half")
    for _ in range(2):
        with pytest.raises(UserError, match="no licence"):
            colours.get("red")
