"""The registry of corpora, and what a corpus yields: usable rows, and why others were left out."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import UserError
from harness.core.registry import Registry

REMOVED = "REMOVE"
"""Text by which translators of CoVoST 2 marked rows that should be removed."""


@dataclass(frozen=True)
class CorpusRow:
    """One utterance with its translation, as a corpus lists it; its audio has not been opened.

    Attributes:
        name: of the recording in the corpus.
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
    """The rows of a corpus for one pair of languages.

    Attributes:
        rows: usable rows, as far as can be known without opening their audio.
        left_out: number of rows that were left out, by reason.
    """

    rows: list[CorpusRow] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, row: CorpusRow) -> None:
        """Add a row, or count it as left out where it has no translation."""
        if not row.text.strip():
            self.left_out["no translation"] += 1
        elif REMOVED in row.text.split():
            self.left_out["marked for removal"] += 1
        else:
            self.rows.append(row)


ReadCorpus = Callable[[Path, str, str], Listing]
"""Lists the training set of one pair: gets the corpus's folder, the source and the target language in its own codes."""


@dataclass(frozen=True)
class Corpus:
    """A corpus that can be read.

    Attributes:
        name: name in mixtures and provenance, e.g. `covost2`.
        option: option of `harness training-manifest` for its folder, e.g. `--covost`.
        folder: what that folder holds, for the help of the option.
    """

    name: str
    option: str
    folder: str
    read: ReadCorpus


CORPORA: Registry[Corpus] = Registry("corpus", "harness.finetune.corpora", "corpora")


def corpus(name: str, option: str, folder: str) -> Callable[[ReadCorpus], ReadCorpus]:
    """Register the decorated function as the reader of a corpus; see `Corpus` for the arguments.

    Raises:
        UserError: another module has registered a corpus of this name.
    """

    def register(read: ReadCorpus) -> ReadCorpus:
        CORPORA.add(name, Corpus(name, option, folder, read), read.__module__, option=option, folder=folder)
        return read

    return register


def read_lines(path: Path) -> list[str]:
    """Read a text file of a release as lines; only line feeds end a line.

    Raises:
        UserError: missing, or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: restore the released file, or name another folder.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read {path} ({error}): restore the released file.") from error
