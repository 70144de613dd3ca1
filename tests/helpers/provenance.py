"""Artifacts that have a manifest and a weight, but no tensors: enough to pack, describe and rank."""

import hashlib
from pathlib import Path

from harness.compression.artifact import MANIFEST, Artifact, Manifest
from harness.compression.codecs import Hqq, Raw
from harness.compression.plan import Assignment, Plan
from harness.core.checksums import FileDigest
from harness.core.files import canonical_json, sha256_of
from harness.models.tensor_spec import TensorSpec

LAYER = "language_model.model.layers.0"


def make_manifest(
    role: str = "finetuned",
    datasets: tuple[str, ...] = ("demo-general",),
    calibration: tuple[str, ...] = (),
    system: str = "hqq4",
) -> Manifest:
    """Return a manifest of two tensors, one of them at 4 bits."""
    assignments = (
        Assignment(TensorSpec(f"{LAYER}.input_layernorm.weight", (64,), "bfloat16"), Raw()),
        Assignment(TensorSpec(f"{LAYER}.mlp.gate_proj.weight", (128, 64), "bfloat16"), Hqq(bits=4)),
    )
    return Manifest(
        role=role,
        plan=Plan(system, assignments),
        base="b" * 64,
        datasets=datasets,
        calibration_datasets=calibration,
        parameters=8256,
        libraries={},
        aliases={},
        files={},
    )


def make_artifact(path: Path, manifest: Manifest) -> Artifact:
    """Write a directory of two files, tokenizer and `artifact.json`, and return it as an artifact."""
    path.mkdir(parents=True)
    tokenizer = path / "tokenizer.json"
    tokenizer.write_text("{}")
    files = {"tokenizer.json": FileDigest(sha256_of(tokenizer), 2)}
    full = Manifest(**{**{name: getattr(manifest, name) for name in Manifest.__struct_fields__}, "files": files})
    data = canonical_json(full.to_json()) + b"\n"
    (path / MANIFEST).write_bytes(data)
    return Artifact(path, hashlib.sha256(data).hexdigest(), full, {})
