"""What a resegmenter is, and which there are.

All of them are run as commands, never imported: mweralign is under the GPL, mwerSegmenter comes as a binary only. A
new one is one module in this folder, named in `_MODULES`, that registers a `Resegmenter`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

import msgspec

from harness.core.errors import UserError
from harness.core.findings import Finding


class Talk(msgspec.Struct, frozen=True):
    """One recording: what was said about it, and along which lines to cut that.

    Attributes:
        wav: the recording's file name.
        text: its whole translation, one line.
        references: its reference lines, in order.
    """

    wav: str
    text: str
    references: tuple[str, ...]


class Resegmented(msgspec.Struct, frozen=True):
    """Translations cut along reference lines.

    Attributes:
        identity: the resegmenter with its version and settings, as signatures show it; `gold` where nothing was cut.
        lines: one per reference line of the test set, in its order.
        findings: recordings without any translation.
    """

    identity: str
    lines: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


Pieces = Sequence[Sequence[str]]
"""For each talk, one piece of its text per reference line."""


@dataclass(frozen=True)
class Resegmenter:
    """A registered resegmenter.

    Attributes:
        name: as a task names it, e.g. `mweralign`.
        identity: target language (ISO 639-1) -> name, version and settings in one line. Raises UserError when the
            command is not there.
        split: cuts talks in a target language. It gets talks that are ready for the tool (`words.prepare`): no empty
            text, no empty reference, two references at least. Raises UserError when the command fails.
    """

    name: str
    identity: Callable[[str], str]
    split: Callable[[Sequence[Talk], str], Pieces]


_MODULES = ("mweralign", "mwersegmenter", "omnisteval")
_RESEGMENTERS: dict[str, Resegmenter] = {}


def register(resegmenter: Resegmenter) -> Resegmenter:
    """Make a resegmenter known by its name."""
    _RESEGMENTERS[resegmenter.name] = resegmenter
    return resegmenter


def get_resegmenter(name: str) -> Resegmenter:
    """Return a resegmenter by its name.

    Raises:
        UserError: there is none.
    """
    for module in _MODULES:
        import_module(f"harness.resegmentation.{module}")
    if name not in _RESEGMENTERS:
        raise UserError(f"No resegmenter is named {name!r}: there are {', '.join(sorted(_RESEGMENTERS))}.")
    return _RESEGMENTERS[name]
