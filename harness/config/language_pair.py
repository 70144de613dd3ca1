"""Language pairs: the direction of a translation, as a struct and in the text form `en-de`."""

from harness.core.manifests import ManifestTable


class LanguagePair(ManifestTable, frozen=True):
    """The ISO 639-1 codes of speech and translation, and the target's English name, as prompts use it."""

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
