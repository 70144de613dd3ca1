"""Post-processing: what is done to the translations of every system before they are scored; nothing by default.

The task declares it. It has a version, which is part of the signature of every score, so that a number of cleaned
translations is never taken for one of the translations as they were generated.
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness.core.registry import Registry


@dataclass(frozen=True)
class Postprocessor:
    """A registered post-processor.

    Attributes:
        name: as a task names it.
        version: raised whenever a change alters any text; 0 for `none`.
        apply: text, target language (ISO 639-1) -> text; never makes an empty text of one that is not empty.
    """

    name: str
    version: int
    apply: Callable[[str, str], str]

    @property
    def identity(self) -> str:
        """Name and version, as signatures show them."""
        return f"{self.name}-{self.version}" if self.version else self.name


POSTPROCESSORS: Registry[Postprocessor] = Registry("post-processor", "harness.scoring.postprocessors", "postprocessors")


def postprocessor(name: str, version: int) -> Callable[[Callable[[str, str], str]], Callable[[str, str], str]]:
    """Register the decorated function as a post-processor."""

    def register(function: Callable[[str, str], str]) -> Callable[[str, str], str]:
        POSTPROCESSORS.add(name, Postprocessor(name, version, function), function.__module__)
        return function

    return register
