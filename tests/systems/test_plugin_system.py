"""A package of systems that pip installs from a wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import harness
from tests.helpers.commands import run_python
from tests.helpers.tiny_task import write_tiny_task

SYSTEMS = '''
from harness.compression.codecs import Hqq
from harness.compression.recipe import Recipe, rule
from harness.compression.registry import system
from harness.compression.selectors import LINEAR


@system("guest-hqq2", role="finetuned", source="a guest package")
def guest_hqq2():
    """Two bits for every linear layer."""
    return Recipe(rule(LINEAR, Hqq(2)))
'''
FILES = {
    "guest_systems.py": SYSTEMS,
    "guest_systems-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: guest-systems\nVersion: 1.0\n",
    "guest_systems-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "guest_systems-1.0.dist-info/entry_points.txt": "[stcompress.systems]\nguest = guest_systems\n",
}
RECORD = "guest_systems-1.0.dist-info/RECORD"


def install(folder: Path) -> Path:
    """Write a wheel, install it with pip, and return the folder of installed packages."""
    wheel, site = folder / "guest_systems-1.0-py3-none-any.whl", folder / "site"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
        archive.writestr(RECORD, "".join(f"{name},,\n" for name in (*FILES, RECORD)))
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True, capture_output=True)
    return site


def test_a_system_package_is_installed_with_pip(tmp_path: Path) -> None:
    """Forbids that an installed system is not listed, or cannot be built, without an edit of the harness."""
    path = (Path(harness.__file__).parents[1], install(tmp_path))
    profile = write_tiny_task(tmp_path / "task")
    listed = run_python("-m", "harness", "list", path=path, folder=tmp_path)
    (row,) = [line for line in listed.splitlines() if line.startswith("guest-hqq2")]
    assert row.split("  ")[-2:] == ["Two bits for every linear layer.", "[a guest package]"]
    arguments = ("build", "guest-hqq2", "--task", str(profile), "--workdir", str(tmp_path / "work"))
    assert "PASS" in run_python("-m", "harness", *arguments, path=path, folder=tmp_path)
    assert [artifact.name[:11] for artifact in (tmp_path / "work" / "artifacts").iterdir()] == ["guest-hqq2-"]
