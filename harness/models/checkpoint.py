"""Checkpoints: base weights in Hugging Face's layout, read on demand by canonical name. No code in them is executed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.core.checksums import directory_digests
from harness.core.errors import UserError, check_format
from harness.core.files import key_of, read_json
from harness.core.safetensors_io import TensorFile, data_of, open_tensor_file
from harness.models.qwen2_audio import HEAD, cached_specs, canonical_name, specs_of_config
from harness.models.tensor_spec import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor

TRAINING_FORMAT = 1
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
COMPANIONS = (
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)
"""Files that become part of an artifact beside the weights, where a checkpoint has them."""
_FLOATS = ("float32", "float16", "bfloat16")
_BLOCK = 1 << 22


@dataclass(frozen=True)
class _Place:
    """The file of a tensor, and its name in that file."""

    file: TensorFile
    stored_name: str


@dataclass(frozen=True)
class Checkpoint:
    """An open checkpoint; opening reads only headers. Specs are sorted by canonical name, and files by name.

    Attributes:
        companions: configuration, tokenizer and processor files; artifacts contain them unchanged.
        datasets: data sets of the model's training, from training.json; ("unknown",) without that file.
    """

    path: Path
    specs: tuple[TensorSpec, ...]
    companions: tuple[Path, ...]
    datasets: tuple[str, ...]
    weight_files: tuple[Path, ...]
    _places: Mapping[str, _Place] = field(repr=False)

    def tensor(self, name: str) -> "Tensor":
        """Return a tensor by canonical name as a memory map, with the shape and type of its spec.

        Raises:
            UserError: it contains NaN or infinity.
        """
        import torch

        place = self._places[name]
        tensor = place.file.read(place.stored_name)
        for block in torch.split(tensor.reshape(-1), _BLOCK):
            if not bool(torch.isfinite(block).all()):
                raise UserError(f"{place.file.path}: tensor {name} contains NaN or infinity: use an intact checkpoint.")
        return tensor

    def data(self, name: str) -> memoryview:
        """Return the bytes of a tensor's data, memory-mapped, without the check for NaN and infinity."""
        place = self._places[name]
        return data_of(place.file.read(place.stored_name))

    def fingerprint(self, cache: Path) -> str:
        """Return the sha256 that identifies all weight and companion files; `cache` keeps their checksums."""
        names = [path.name for path in (*self.weight_files, *self.companions)]
        return key_of(directory_digests(self.path, names, cache))


def open_checkpoint(path: Path, cache: Path | None = None) -> Checkpoint:
    """Open a checkpoint directory, and check its tensors against its configuration.

    The cache folder is for the specs that a configuration describes; None computes them each time.

    Raises:
        UserError: a file is missing, truncated or pickled, or the tensors are not those that config.json describes.
    """
    if not path.is_dir():
        raise UserError(f"{path} is not a checkpoint directory: name a folder with config.json and safetensors files.")
    companions = _companions(path)
    files = tuple(open_tensor_file(file) for file in _weight_files(path))
    places = _places(path, files)
    config = path / "config.json"
    described = {spec.name: spec for spec in (cached_specs(config, cache) if cache else specs_of_config(config))}
    if HEAD not in described:
        # As in transformers, the configuration decides whether the head is tied, even if the file contains one.
        places.pop(HEAD, None)
    specs = _check_specs(path, places, described)
    return Checkpoint(path, specs, companions, _datasets(path), tuple(file.path for file in files), places)


def _companions(path: Path) -> tuple[Path, ...]:
    found = {name for name in COMPANIONS if (path / name).is_file()}
    if "config.json" not in found:
        raise UserError(f"{path} has no config.json: copy it from the model's repository.")
    if "tokenizer.json" not in found and not {"vocab.json", "merges.txt"} <= found:
        raise UserError(f"{path} has no tokenizer: copy tokenizer.json from the model's repository.")
    if not found & {"preprocessor_config.json", "processor_config.json"}:
        raise UserError(f"{path} has no audio processor: copy preprocessor_config.json from the model's repository.")
    return tuple(path / name for name in sorted(found))


def _weight_files(path: Path) -> list[Path]:
    if (path / SINGLE).is_file():
        return [path / SINGLE]
    if not (path / INDEX).is_file():
        pickled = sorted(file.name for file in path.glob("*") if file.suffix in {".bin", ".pt", ".pth", ".ckpt"})
        if pickled:
            raise UserError(
                f"{path} holds only pickled weights ({pickled[0]}), which could run code and are not read: "
                "convert them to safetensors."
            )
        raise UserError(f"{path} holds no weights: copy {SINGLE}, or {INDEX} and its shards, into it.")
    return _shards(path / INDEX)


def _shards(index: Path) -> list[Path]:
    value = read_json(index)
    try:
        names = sorted(set(msgspec.convert(value["weight_map"], dict[str, str]).values()))
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise UserError(f"{index} is not a valid index of shards ({error}): copy it again.") from error
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise UserError(
                f"{index} names the shard {name!r}, which is not a safetensors file beside it: copy it again."
            )
        if not (index.parent / name).is_file():
            raise UserError(f"The shard {index.parent / name} is missing: copy it from the model's repository.")
    return [index.parent / name for name in names]


def _places(path: Path, files: tuple[TensorFile, ...]) -> dict[str, _Place]:
    places: dict[str, _Place] = {}
    for file in files:
        for stored in file.entries:
            name = canonical_name(stored)
            if name.endswith("rotary_emb.inv_freq"):
                continue  # computed from the configuration; only very old files contain it
            if name in places:
                raise UserError(
                    f"{path} contains the tensor {name} twice ({places[name].file.path.name}, {file.path.name}): "
                    "remove the shard that the index does not need."
                )
            places[name] = _Place(file, stored)
    return places


def _check_specs(
    path: Path, places: Mapping[str, _Place], expected: Mapping[str, TensorSpec]
) -> tuple[TensorSpec, ...]:
    """Check the files against the specs that the configuration describes, and return their specs."""
    missing, unknown = sorted(expected.keys() - places.keys()), sorted(places.keys() - expected.keys())
    if missing:
        raise UserError(f"{path} lacks {len(missing)} tensors, the first is {missing[0]}: copy the missing weights.")
    if unknown:
        raise UserError(
            f"{path} contains {len(unknown)} tensors that are not in its config.json, the first is {unknown[0]}: "
            "restore the config.json that belongs to these weights."
        )
    return tuple(_spec(name, expected[name].shape, places[name]) for name in sorted(expected))


def _spec(name: str, expected: tuple[int, ...], place: _Place) -> TensorSpec:
    entry = place.file.entries[place.stored_name]
    if entry.shape != expected:
        raise UserError(
            f"{place.file.path}: tensor {name} has shape {entry.shape}, but config.json says {expected}: "
            "restore the config.json that belongs to these weights."
        )
    if entry.torch_dtype not in _FLOATS:
        raise UserError(
            f"{place.file.path}: tensor {name} is stored as {entry.dtype}, not as 16 or 32 bit floats: "
            "name the original checkpoint."
        )
    return TensorSpec(name, entry.shape, entry.torch_dtype)


class _Training(msgspec.Struct, frozen=True):
    """The fields of training.json that are used here."""

    format_version: int
    datasets: tuple[str, ...]


def _datasets(path: Path) -> tuple[str, ...]:
    file = path / "training.json"
    if not file.is_file():
        return ("unknown",)
    value = read_json(file)
    check_format(str(file), value.get("format_version") if isinstance(value, dict) else None, TRAINING_FORMAT)
    try:
        return msgspec.convert(value, _Training).datasets
    except msgspec.ValidationError as error:
        raise UserError(
            f"{file} is not a valid training record ({error}): restore it, or remove it if the data are unknown."
        ) from error
