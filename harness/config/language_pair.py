"""Language pairs: the direction of a translation, as a struct and in the text form `en-de`."""

from harness.core.manifests import ManifestTable


class LanguagePair(ManifestTable, frozen=True):
    """The languages of speech and translation.

    Attributes:
        source: ISO 639-1 code of the speech.
        target: ISO 639-1 code of the translation.
        target_name: English name of the target language, as prompts use it.
    """

    source: str
    target: str
    target_name: str

    @property
    def direction(self) -> str:
        """The text form `<source>-<target>`, e.g. `en-de`, which names the pair in manifests, files and commands."""
        return f"{self.source}-{self.target}"


def target_language(direction: str) -> str:
    """Return the ISO 639-1 code of the target language of a direction such as `en-de`."""
    return direction.rpartition("-")[2]
