"""Stores: results as files, found by the content key of their inputs.

Every stored result is one JSON file, an envelope around the value:

    format_version   of the envelope
    kind             what is stored, e.g. `score`
    key              sha256 over the kind, the format of the value and the inputs
    inputs           what determines the value
    checksum         sha256 over the canonical JSON of the value
    value            the result

Reading verifies all of them, so that a file that was edited, copied or renamed is never taken for a result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from harness.core.errors import UserError, check_format
from harness.core.files import key_of, read_json, write_json

FORMAT = 2  # of the envelope; files of format 1 had none and are made again
KEY_DIGITS = 32  # of the key in a file name that also has a label
T = TypeVar("T")


@dataclass(frozen=True)
class Store(Generic[T]):
    """Results of one kind.

    Attributes:
        kind: name of the kind; as part of every key it must not change.
        value: type of the results, readable by msgspec.
        format: version of the value's form and of the computation behind it, also part of every key.
        advice: what a user can do about a damaged file.
    """

    kind: str
    value: type[T]
    format: int
    advice: str = "remove it and run this again"

    def key(self, inputs: object) -> str:
        """Return the sha256 (64 hex digits) that names the result of these inputs."""
        return key_of([self.kind, self.format, inputs])

    def entry(self, folder: Path, inputs: object, label: str = "") -> "StoreEntry[T]":
        """Return the place of one result in a folder.

        Args:
            folder: where results of this kind are stored.
            inputs: everything that determines the result, as JSON-ready values.
            label: begins the file's name, for people; it is not part of the key.
        """
        key = self.key(inputs)
        name = f"{label}-{key[:KEY_DIGITS]}.json" if label else f"{key}.json"
        return StoreEntry(self, folder / name, key, inputs)

    def open(self, path: Path) -> T:
        """Read a result from its path, whatever its inputs were.

        Raises:
            UserError: it is missing or damaged, holds another kind of result, or has a newer format.
        """
        envelope = _read(self, path)
        if envelope is None or self._is_older(envelope):
            raise UserError(f"{path} was written by an older version: {self.advice}.")
        return _value(self, path, envelope, self.key(envelope.inputs))

    def open_all(self, folder: Path) -> tuple[tuple[Path, T], ...]:
        """Read every result of a folder, by file name; files of an older format are skipped.

        Raises:
            UserError: a file is damaged, holds another kind of result, or has a newer format.
        """
        found = []
        for path in sorted(folder.glob("*.json")):
            envelope = _read(self, path)
            if envelope and not self._is_older(envelope):
                found.append((path, _value(self, path, envelope, self.key(envelope.inputs))))
        return tuple(found)

    def _is_older(self, envelope: "_Envelope") -> bool:
        older = range(1, self.format)
        return envelope.key in {key_of([self.kind, each, envelope.inputs]) for each in older}


@dataclass(frozen=True)
class StoreEntry(Generic[T]):
    """The place of one result: its file, and the content key of the inputs that determine it."""

    store: Store[T]
    path: Path
    key: str
    inputs: object

    def read(self) -> T | None:
        """Return the stored result, or None where there is none or it has an older format.

        Raises:
            UserError: the file is damaged, belongs to other inputs, or has a newer format.
        """
        envelope = _read(self.store, self.path) if self.path.is_file() else None
        return None if envelope is None else _value(self.store, self.path, envelope, self.key)

    def recall(self) -> T | None:
        """Return the stored result, or None where it is missing or damaged: for what is cheap to compute again."""
        try:
            return self.read()
        except UserError:
            return None

    def write(self, value: T) -> None:
        """Publish a result, whole or not at all.

        Raises:
            UserError: the folder cannot be written or the disk is full.
        """
        plain = msgspec.to_builtins(value)
        write_json(self.path, _Envelope(FORMAT, self.store.kind, self.key, self.inputs, key_of(plain), plain))

    def get(self, make: Callable[[], T]) -> T:
        """Return the stored result, or make and store it; raises as `read` and `write`."""
        stored = self.read()
        if stored is None:
            stored = make()
            self.write(stored)
        return stored


class _Envelope(msgspec.Struct, frozen=True):
    """A stored result as it is on disk; see this module."""

    format_version: int
    kind: str
    key: str
    inputs: Any
    checksum: str
    value: Any


def _read(store: Store[Any], path: Path) -> _Envelope | None:
    content = read_json(path)
    version = content.get("format_version") if isinstance(content, dict) else None
    check_format(str(path), version, FORMAT)
    if isinstance(version, int) and version < FORMAT:
        return None
    try:
        return msgspec.convert(content, _Envelope)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} is not a stored {store.kind} ({error}): {store.advice}.") from error


def _value(store: Store[T], path: Path, envelope: _Envelope, key: str) -> T:
    """Return an envelope's value after verifying that it is what the key names."""
    if envelope.kind != store.kind:
        raise UserError(f"{path} holds a stored {envelope.kind}, not a {store.kind}: {store.advice}.")
    if envelope.key != key or store.key(envelope.inputs) != key:
        raise UserError(f"{path} holds the {store.kind} of other inputs than its name says: {store.advice}.")
    if key_of(envelope.value) != envelope.checksum:
        raise UserError(f"{path} was changed after it was written: {store.advice}.")
    try:
        return msgspec.convert(envelope.value, store.value)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} is not a stored {store.kind} ({error}): {store.advice}.") from error
