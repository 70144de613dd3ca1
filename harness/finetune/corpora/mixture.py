"""Mixtures: the corpora, languages and numbers of rows of a training manifest, as data."""

from typing import Annotated

import msgspec

from harness.core import manifests
from harness.core.errors import UserError
from harness.core.manifests import ManifestTable
from harness.finetune.corpora.base import CORPORA

FORMAT = 1
_Count = Annotated[int, msgspec.Meta(ge=1)]


class Part(ManifestTable, frozen=True):
    """Rows of one corpus in one target language.

    Attributes:
        corpus: its registered name.
        language: code of the target language in the training manifest.
        tag: code of the language in the corpus, where it differs.
    """

    corpus: str
    language: str
    rows: _Count
    tag: str = ""


class Published(ManifestTable, frozen=True):
    """The published figures of a language: utterances and hours."""

    utterances: _Count
    hours: float


class Mixture(ManifestTable, frozen=True):
    """The composition of a training manifest.

    Attributes:
        source: the paper and place it comes from.
        seed: of the choice of rows.
        speech: language code of the speech.
        window: the model's audio window in seconds; longer rows are left out.
        parts: in the order of the manifest.
        published: the paper's figures, by language.
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
        """Return the number of rows of a language in all parts."""
        return sum(part.rows for part in self.parts if part.language == language)


def load_mixture(name: str) -> Mixture:
    """Read a mixture by name, or from the path of a .toml file.

    Raises:
        UserError: unknown, unreadable or empty; an unknown corpus; a part twice; or counts other than published.
    """
    path = manifests.find("corpora", name)
    mixture = manifests.read_toml(path, Mixture, FORMAT)
    if not mixture.parts:
        raise UserError(f"{path} names no parts: list the corpora that rows are taken from.")
    for part in mixture.parts:
        CORPORA.entry(part.corpus)
    if len({(part.corpus, part.language) for part in mixture.parts}) < len(mixture.parts):
        raise UserError(f"{path} names a corpus twice for one language: merge the two parts.")
    for language, figure in mixture.published.items():
        if mixture.rows(language) != figure.utterances:
            raise UserError(
                f"{path}: the parts hold {mixture.rows(language)} rows of {language!r}, but {figure.utterances} are "
                "published: correct the parts."
            )
    return mixture
