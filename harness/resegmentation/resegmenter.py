"""What a resegmenter is, and the registry of all resegmenters.

All of them run as commands and are never imported: mweralign is under the GPL, mwerSegmenter is distributed as a binary
only. A new one is one module in this folder, or in an installed package with an entry point of the group
`stcompress.resegmenters`, that adds itself:

    RESEGMENTERS.add("mine", Resegmenter("mine", identity, split), __name__)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from harness.core.findings import Finding
from harness.core.registry import Registry


class Talk(msgspec.Struct, frozen=True):
    """The whole translation of one recording as one line, and the recording's reference lines in order."""

    wav: str
    text: str
    references: tuple[str, ...]


class Resegmented(msgspec.Struct, frozen=True):
    """Translations divided along reference lines.

    Attributes:
        identity: the resegmenter with its version and settings, as signatures show it; `gold` where the translations
            already stand on the gold segments.
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
        identity: returns name, version and settings in one line for a target language (ISO 639-1). Raises UserError
            when the command is missing.
        split: divides talks in a target language. The talks are prepared for the tool (`text_mapping.prepare`): none
            has an empty text or an empty reference, and each has two references at least. Raises UserError when the
            command fails.
    """

    name: str
    identity: Callable[[str], str]
    split: Callable[[Sequence[Talk], str], Pieces]


RESEGMENTERS: Registry[Resegmenter] = Registry("resegmenter", "harness.resegmentation", "resegmenters")


def get_resegmenter(name: str) -> Resegmenter:
    """Return a resegmenter by its name; raise UserError where there is none."""
    return RESEGMENTERS.get(name)
