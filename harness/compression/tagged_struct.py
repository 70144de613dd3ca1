"""JSON objects of registered struct classes: codecs and transforms, identified by a tag."""

from typing import Any, TypeVar

import msgspec

from harness.core.errors import UserError
from harness.core.registry import Registry

S = TypeVar("S", bound=msgspec.Struct)


def register_struct(registry: Registry[type[S]], cls: type[S]) -> None:
    """Register a struct class under its tag.

    Raises:
        UserError: another class has the same tag.
    """
    registry.add(str(cls.__struct_config__.tag), cls, cls.__module__)


def struct_from_json(registry: Registry[type[S]], value: Any) -> S:
    """Read a struct of a registered class from its JSON object, e.g. `{"codec": "hqq", "bits": 4}`.

    The registry has the classes by tag; its `kind` is the name of the field that holds the tag.

    Raises:
        UserError: the tag is unknown, or the other fields are not valid arguments of its class.
    """
    tag = value.get(registry.kind) if isinstance(value, dict) else None
    if tag not in registry:
        raise UserError(
            f"No {registry.kind} is named {tag!r}: install the package that provides it. "
            f"Available here are {', '.join(sorted(registry.names))}."
        )
    try:
        return msgspec.convert(value, registry.get(tag))
    except msgspec.ValidationError as error:
        raise UserError(f"The arguments of {registry.kind} {tag!r} are not valid: {error}.") from error
