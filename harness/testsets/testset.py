"""Test sets: recordings, gold segments, source transcripts and references."""

from dataclasses import dataclass
from pathlib import Path

from harness.core.findings import Finding
from harness.testsets.segments import Segmentation


@dataclass(frozen=True)
class TestSet:
    """A test set on disk, imported and checked.

    Attributes:
        name: its name and that of its manifest, e.g. `acl6060-eval`; `campaign_name` is its folder in the campaign's
            archive, e.g. `ACL6060`, and `dataset` the data set that provenance names, e.g. `acl6060`.
        audio: folder of the full recordings.
        file_order: recordings' file names (with `.wav`), in the order that the campaign specifies.
        gold: gold segmentation, or None for an unsegmented set.
        source: transcripts, as many lines as references, or None.
        references: by target language, the reference translations of the gold segments, or of all recordings' sentences
            in order where there are no gold segments.
        key: sha256 over the manifest, the texts and every audio file's sha256.
        sentence_wavs: for a set with texts but without gold segments, the recording that each line of `source` and
            `references` belongs to, recordings in the order of FILE_ORDER; otherwise None.
        findings: warnings about the recordings from their import, e.g. that channels were averaged.
    """

    __test__ = False

    name: str
    campaign_name: str
    dataset: str
    audio: Path
    file_order: tuple[str, ...]
    gold: Segmentation | None
    source: tuple[str, ...] | None
    references: dict[str, tuple[str, ...]]
    key: str
    sentence_wavs: tuple[str, ...] | None = None
    findings: tuple[Finding, ...] = ()
