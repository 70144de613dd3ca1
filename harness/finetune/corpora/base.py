"""What an importer of a corpus gives: examples that can be trained on, and why others were left out."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import UserError

REMOVED = "REMOVE"
"""What some translations of CoVoST 2 consist of: their translators asked for the row to be removed."""


@dataclass(frozen=True)
class CorpusRow:
    """One utterance with its translation, as a corpus lists it; its audio was not looked at yet.

    Attributes:
        audio: the recording.
        name: the recording's name in the corpus.
        text: the translation.
        offset: start in the recording, in seconds.
        duration: in seconds; None for the whole recording.
    """

    audio: Path
    name: str
    text: str
    offset: float = 0.0
    duration: float | None = None


@dataclass(frozen=True)
class Listing:
    """What a corpus lists for one pair of languages.

    Attributes:
        examples: rows that can be used, as far as can be told without their audio.
        left_out: how many rows were left out, by reason.
    """

    examples: list[CorpusRow] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, example: CorpusRow) -> None:
        """Take an example, unless its translation is none."""
        if not example.text.strip():
            self.left_out["no translation"] += 1
        elif REMOVED in example.text.split():
            self.left_out["marked for removal"] += 1
        else:
            self.examples.append(example)


def read_lines(path: Path) -> list[str]:
    """Read a text file of a release as lines; only a line feed ends one.

    Raises:
        UserError: missing, or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: restore the released file, or name another folder.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read {path} ({error}): restore the released file.") from error
