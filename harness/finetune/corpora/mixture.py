"""Mixtures: which corpora, languages and how many rows of each a training manifest holds, as data."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from harness.core import manifests
from harness.core.errors import UserError
from harness.core.manifests import ManifestTable

FORMAT = 1
_Count = Annotated[int, msgspec.Meta(ge=1)]


class CorpusName(StrEnum):
    """Released corpora that can be read."""

    COVOST = "covost2"
    EUROPARL_ST = "europarl-st"


class Part(ManifestTable, frozen=True):
    """Rows of one corpus in one target language.

    Attributes:
        corpus: which.
        language: code of the target language in the training manifest.
        rows: how many.
        tag: what the corpus calls the language, where that differs.
    """

    corpus: CorpusName
    language: str
    rows: _Count
    tag: str = ""


class Published(ManifestTable, frozen=True):
    """What the paper prints of a language: utterances and hours."""

    utterances: _Count
    hours: float


class Mixture(ManifestTable, frozen=True):
    """What a training manifest is made of.

    Attributes:
        name: the mixture's name.
        source: the paper and place it comes from.
        seed: of the choice of rows.
        speech: code of the language that is spoken.
        window: seconds that the model hears; longer rows are left out.
        parts: in the order of the manifest.
        published: what the paper prints, by language.
        note: where the numbers come from.
    """

    name: str
    source: str
    seed: Annotated[int, msgspec.Meta(ge=0)]
    speech: str
    window: Annotated[float, msgspec.Meta(gt=0)]
    parts: tuple[Part, ...]
    published: dict[str, Published] = msgspec.field(default_factory=dict)
    note: str = ""

    def rows(self, language: str) -> int:
        """Return how many rows a language has in all parts."""
        return sum(part.rows for part in self.parts if part.language == language)


def load_mixture(name: str) -> Mixture:
    """Read a mixture by name, or from the path of a .toml file.

    Raises:
        UserError: unknown, unreadable, empty, a part twice, or other counts than those published.
    """
    path = manifests.find("corpora", name)
    mixture = manifests.read_toml(path, Mixture, FORMAT)
    _check(path, mixture)
    return mixture


def _check(path: Path, mixture: Mixture) -> None:
    if not mixture.parts:
        raise UserError(f"{path} names no parts: say which corpora the rows come from.")
    if len({(part.corpus, part.language) for part in mixture.parts}) < len(mixture.parts):
        raise UserError(f"{path} names a corpus twice for one language: add the rows up in one part.")
    for language, figure in mixture.published.items():
        if mixture.rows(language) != figure.utterances:
            raise UserError(
                f"{path}: the parts hold {mixture.rows(language)} rows of {language!r}, but {figure.utterances} are "
                "published: correct the parts."
            )
