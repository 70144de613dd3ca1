"""Post-processing of the translations of every system before scoring, as declared by the task; none by default.

Its version is part of the signature of every score, which distinguishes scores of cleaned and unchanged translations.
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness.core.registry import Registry


@dataclass(frozen=True)
class Postprocessor:
    """A registered post-processor.

    Attributes:
        version: raised whenever a change alters any text; 0 for `none`.
        apply: text, target language (ISO 639-1) -> text; never makes a text empty.
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
