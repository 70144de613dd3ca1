"""A codec is one file: in the package of codecs, or in an installed distribution with an entry point."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness.compression.artifact import open_artifact
from harness.core.errors import UserError
from tests.helpers.commands import run_python

ROOT = Path(harness.__file__).parents[1]
CODEC = '''
from harness.compression.codecs.base import Certainty, Codec, Size, dtype_of, register_codec


@register_codec
class Signs(Codec, frozen=True, tag="signs"):
    """The sign of each weight as int8, and the mean magnitude of each row as float32."""

    def encode(self, tensor):
        return {"": tensor.sign().char(), ".mean": tensor.float().abs().mean(1)}

    def decode(self, parts, spec):
        return (parts[""] * parts[".mean"][:, None]).to(dtype_of(spec))

    def size(self, spec):
        return Size(spec.numel + 4 * spec.shape[0], Certainty.EXACT)
'''
BUILD = """
import sys
from pathlib import Path
from harness.compression.build import build
from harness.compression.codecs import codec_from_json
from harness.compression.plan import resolve
from harness.compression.recipe import Recipe, rule
from harness.compression.selectors import MLP
from harness.core.workdir import open_workdir
from harness.models.checkpoint import open_checkpoint

checkpoint = open_checkpoint(Path(sys.argv[1]))
recipe = Recipe(rule(MLP, codec_from_json({"codec": "signs"})))
print(build(checkpoint, resolve("toy", recipe, checkpoint.specs), "untuned", open_workdir(sys.argv[2])).path)
"""
LOAD = """
import sys
from pathlib import Path
from harness.compression.artifact import open_artifact
from harness.inference.load import load_model

model = load_model(open_artifact(Path(sys.argv[1]), Path(sys.argv[2])))
weights = dict(model.named_parameters())
(name,) = [name for name in weights if "language_model" in name and name.endswith("layers.0.mlp.up_proj.weight")]
print(len(weights[name][0].abs().unique()))
"""


def installed(folder: Path) -> tuple[Path, ...]:
    """Write the codec as an installed distribution, and return the PYTHONPATH with it."""
    site = folder / "site"
    information = site / "signs-1.0.dist-info"
    information.mkdir(parents=True)
    (site / "signs.py").write_text(CODEC)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: signs\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[stcompress.codecs]\nsigns = signs\n")
    return (ROOT, site)


def added(folder: Path) -> tuple[Path, ...]:
    """Write the codec into a copy of the package of codecs, and return the PYTHONPATH with the copy."""
    copy = folder / "copy"
    for name in ("harness", "systems"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "data").symlink_to(ROOT / "data")
    (copy / "harness" / "compression" / "codecs" / "signs.py").write_text(CODEC)
    return (copy,)


@pytest.mark.parametrize("provide", [installed, added])
def test_a_codec_is_one_file(provide: Callable[[Path], tuple[Path, ...]], tiny_directory: Path, tmp_path: Path) -> None:
    """Forbids a codec that needs an edit elsewhere before it is built, measured by path, and loaded for inference."""
    path, work = provide(tmp_path), tmp_path / "work"
    built = run_python("-c", BUILD, str(tiny_directory), str(work), path=path, folder=tmp_path).strip()
    arguments = ("-m", "harness", "size", built, "--workdir", str(work), "--json")
    report = json.loads(run_python(*arguments, path=path, folder=tmp_path))["report"]
    files = [file.stat().st_size for file in Path(built).rglob("*") if file.is_file()]
    assert (report["system"], report["total"]) == ("toy", sum(files))
    magnitudes = run_python("-c", LOAD, built, str(work / "cache"), path=path, folder=tmp_path)
    assert magnitudes.strip() == "1"
    with pytest.raises(UserError, match="No codec is named 'signs': install the package that provides it"):
        open_artifact(Path(built), tmp_path / "cache")
