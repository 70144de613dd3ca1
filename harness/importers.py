"""Importing: from a manifest in `data/manifests/testsets/` to a test set that has been read and checked."""

from enum import StrEnum
from pathlib import Path

import msgspec

from harness import manifests
from harness.acl6060 import Layout, check_sentence_count, read_file_order, read_sentences, recover_segments
from harness.demo_corpus import Corpus, materialise
from harness.errors import UserError
from harness.files import key_of, sha256_of
from harness.segment.base import Segmentation
from harness.testset import TestSet
from harness.workdir import WorkDir

FORMAT = 1


class LayoutKind(StrEnum):
    """How a test set's files lie."""

    ACL6060 = "acl6060"
    DEMO = "demo"


class TestSetManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A test set as data.

    Attributes:
        name: the test set's name.
        dataset: the data set that it belongs to, as provenance names it.
        campaign_name: its folder in the campaign's archive.
        layout: how its files lie.
        path: folder that holds the split's folder; a relative path is read against the project's folder.
        split: `dev` or `eval`.
        source: language code of the speech.
        targets: language codes of the references.
        licence: under which licence it may be used.
        talks: expected number of recordings, or None where it is not fixed.
        sentences: expected number of sentences, or None where it is not fixed.
        url: where it can be downloaded.
    """

    __test__ = False

    name: str
    dataset: str
    campaign_name: str
    layout: LayoutKind
    path: str
    split: str
    source: str
    targets: tuple[str, ...]
    licence: str
    talks: int | None = None
    sentences: int | None = None
    url: str = ""

    @property
    def folder(self) -> Path:
        """The folder that holds the split's folder."""
        return manifests.data_root() / Path(self.path).expanduser()


def test_set_name(entry: str) -> str:
    """Return the name of the set that a task's entry means: the entry itself, or what its .toml file says.

    Raises:
        UserError: the file is missing or does not read.
    """
    if not entry.endswith(".toml"):
        return entry
    return manifests.read_toml(Path(entry), TestSetManifest, FORMAT).name


def load_test_set(name: str, workdir: WorkDir) -> TestSet:
    """Import a test set.

    Args:
        name: name of a manifest, or path of a .toml file.
        workdir: where the demo's corpus is written out.

    Raises:
        UserError: no such manifest, or a file of the set is missing, does not read, or contradicts another one.
    """
    path = manifests.find("testsets", name)
    manifest = manifests.read_toml(path, TestSetManifest, FORMAT)
    root = _root(path, manifest, workdir)
    return _read(manifest, Layout(root / manifest.split, manifest.split))


def _root(path: Path, manifest: TestSetManifest, workdir: WorkDir) -> Path:
    if not (manifest.folder / manifest.split).is_dir():
        source = f"unpack {manifest.url} so that it exists" if manifest.url else "restore it"
        raise UserError(
            f"The folder {manifest.folder / manifest.split} of test set {manifest.name!r} is missing: {source}, or set "
            f"another `path` in a copy of {path} and use the copy's path as the test set's name."
        )
    if manifest.layout is LayoutKind.ACL6060:
        return manifest.folder
    corpus = Corpus(manifest.folder / manifest.split, manifest.split, (manifest.source, *manifest.targets))
    return materialise(corpus, manifest.name, workdir.testsets)


def _read(manifest: TestSetManifest, layout: Layout) -> TestSet:
    talks = read_file_order(layout.file_order)
    texts = {code: read_sentences(layout.text(code)) for code in (manifest.source, *manifest.targets)}
    _check_counts(manifest, layout, talks, texts)
    check_sentence_count(layout, len(texts[manifest.source]))
    segments = recover_segments(layout, talks, len(texts[manifest.source]))
    gold = Segmentation(test_set=manifest.name, method="gold", segments=segments)
    file_order = tuple(f"{talk}.wav" for talk in talks)
    sums = [[wav, sha256_of(layout.full / wav)] for wav in file_order]
    return TestSet(
        name=manifest.name,
        campaign_name=manifest.campaign_name,
        dataset=manifest.dataset,
        audio=layout.full,
        file_order=file_order,
        gold=gold,
        gold_audio=layout.gold,
        source=texts[manifest.source],
        references={code: texts[code] for code in manifest.targets},
        key=key_of([FORMAT, manifest.name, sums, gold, texts]),
    )


def _check_counts(
    manifest: TestSetManifest, layout: Layout, talks: tuple[str, ...], texts: dict[str, tuple[str, ...]]
) -> None:
    lengths = {code: len(lines) for code, lines in texts.items()}
    if len(set(lengths.values())) != 1:
        counts = ", ".join(f"{layout.text(code).name} {count}" for code, count in lengths.items())
        raise UserError(
            f"The text files of {layout.root} differ in their lines ({counts}): restore the released files."
        )
    for what, found, expected in (
        ("talks", len(talks), manifest.talks),
        ("sentences", lengths[manifest.source], manifest.sentences),
    ):
        if expected is not None and found != expected:
            raise UserError(
                f"{layout.root} has {found} {what}, but its manifest expects {expected}: restore the released files."
            )
