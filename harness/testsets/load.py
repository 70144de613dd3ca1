"""Importing: from a manifest in `data/manifests/testsets/` to a test set that has been read and checked."""

from enum import StrEnum
from pathlib import Path

import msgspec

from harness.audio.inspect import examine
from harness.config.task import Task
from harness.core import manifests
from harness.core.errors import UserError
from harness.core.files import key_of, sha256_of
from harness.core.progress import log_once
from harness.core.workdir import WorkDir
from harness.testsets.acl6060 import (
    Acl6060Layout,
    check_sentence_count,
    read_file_order,
    read_sentences,
    recover_segments,
)
from harness.testsets.demo_corpus import DemoCorpus, materialise
from harness.testsets.recordings import Recordings, find_archive, given_segments, import_archive, import_folder
from harness.testsets.reference_texts import check_against_gold, read_texts
from harness.testsets.segments import Segmentation
from harness.testsets.testset import TestSet

FORMAT = 1


class LayoutKind(StrEnum):
    """How a test set's files lie.

    `acl6060`: the release of ACL 60/60. `demo`: the demo's corpus, as committed. `archive`: a folder with the archive
    that the campaign gives out. `folder`: audio and FILE_ORDER, as the organisers take it. `audio`: any folder with
    audio. The last three may have segments (one YAML file) and texts (`text/<talk>.<language>.txt`).
    """

    ACL6060 = "acl6060"
    DEMO = "demo"
    ARCHIVE = "archive"
    FOLDER = "folder"
    AUDIO = "audio"


class TestSetManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A test set as data.

    Attributes:
        name: the test set's name.
        dataset: the data set that it belongs to, as provenance names it.
        campaign_name: its folder in the campaign's archive.
        layout: how its files lie.
        path: folder that holds the split's folder, the archive or the recordings; a relative path is read against the
            project's folder.
        split: `dev` or `eval`; empty for a set that is no part of a release.
        source: language code of the speech.
        targets: language codes of the references; none for a set that comes without.
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
    source: str
    targets: tuple[str, ...]
    licence: str
    split: str = ""
    talks: int | None = None
    sentences: int | None = None
    url: str = ""

    @property
    def folder(self) -> Path:
        """The folder of `path`."""
        return manifests.data_root() / Path(self.path).expanduser()


def test_set_name(entry: str) -> str:
    """Return the name of the set that a task's entry means: the entry itself, or what its .toml file says.

    Raises:
        UserError: the file is missing or does not read.
    """
    if not entry.endswith(".toml"):
        return entry
    return manifests.read_toml(Path(entry), TestSetManifest, FORMAT).name


def campaign_name(entry: str) -> str:
    """Return the folder of a set in the campaign's archive; the set itself need not be there.

    Raises:
        UserError: no such manifest, or it does not read.
    """
    return manifests.read_toml(manifests.find("testsets", entry), TestSetManifest, FORMAT).campaign_name


def load_if_published(name: str, task: Task, workdir: WorkDir) -> TestSet | None:
    """Import a test set of a task, or return None for a missing blind set, which may not be published yet.

    Raises:
        UserError: the set is missing or cannot be read, and is not only a blind set of the task.
    """
    try:
        return load_test_set(name, workdir)
    except UserError as error:
        if any(name in sets for sets in task.test_sets.values()):
            raise
        log_once(f"left out: {error}")
        return None


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
    if manifest.layout in {LayoutKind.ACL6060, LayoutKind.DEMO}:
        root = _root(path, manifest, workdir)
        return _read(manifest, Acl6060Layout(root / manifest.split, manifest.split), workdir)
    return _read_recordings(manifest, _recordings(path, manifest, workdir))


def _root(path: Path, manifest: TestSetManifest, workdir: WorkDir) -> Path:
    if not (manifest.folder / manifest.split).is_dir():
        source = f"unpack {manifest.url} so that it exists" if manifest.url else "restore it"
        raise UserError(
            f"The folder {manifest.folder / manifest.split} of test set {manifest.name!r} is missing: {source}, or set "
            f"another `path` in a copy of {path} and use the copy's path as the test set's name."
        )
    if manifest.layout is LayoutKind.ACL6060:
        return manifest.folder
    corpus = DemoCorpus(manifest.folder / manifest.split, manifest.split, (manifest.source, *manifest.targets))
    return materialise(corpus, manifest.name, workdir.testsets)


def _read(manifest: TestSetManifest, layout: Acl6060Layout, workdir: WorkDir) -> TestSet:
    talks = read_file_order(layout.file_order)
    texts = {code: read_sentences(layout.text(code)) for code in (manifest.source, *manifest.targets)}
    _check_counts(manifest, layout, talks, texts)
    check_sentence_count(layout, len(texts[manifest.source]))
    segments = recover_segments(layout, talks, len(texts[manifest.source]))
    gold = Segmentation(test_set=manifest.name, method="gold", segments=segments)
    file_order = tuple(f"{talk}.wav" for talk in talks)
    sums = [[wav, sha256_of(layout.full / wav)] for wav in file_order]
    found = [finding for wav, total in sums for finding in examine(layout.full / wav, total, workdir.cache)]
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
        findings=tuple(found),
    )


def _check_counts(
    manifest: TestSetManifest, layout: Acl6060Layout, talks: tuple[str, ...], texts: dict[str, tuple[str, ...]]
) -> None:
    lengths = {code: len(lines) for code, lines in texts.items()}
    if len(set(lengths.values())) != 1:
        counts = ", ".join(f"{layout.text(code).name} {count}" for code, count in lengths.items())
        raise UserError(
            f"The text files of {layout.root} differ in their lines ({counts}): restore the released files."
        )
    _check_expected(manifest, layout.root, len(talks), lengths[manifest.source])


def _check_expected(manifest: TestSetManifest, where: Path, talks: int, sentences: int) -> None:
    for what, found, expected in (("talks", talks, manifest.talks), ("sentences", sentences, manifest.sentences)):
        if expected is not None and found != expected:
            raise UserError(
                f"{where} has {found} {what}, but its manifest expects {expected}: restore the released files."
            )


def _recordings(path: Path, manifest: TestSetManifest, workdir: WorkDir) -> Recordings:
    if not manifest.folder.is_dir():
        source = f" ({manifest.url})" if manifest.url else ""
        raise UserError(
            f"The folder {manifest.folder} of test set {manifest.name!r} is missing: put the campaign's download"
            f"{source} there, or set another `path` in a copy of {path} and use the copy's path as the set's name."
        )
    if manifest.layout is LayoutKind.ARCHIVE:
        return import_archive(find_archive(manifest.folder), manifest.name, workdir)
    found = import_folder(manifest.folder, manifest.name, workdir)
    if manifest.layout is LayoutKind.FOLDER and any(finding.rule == "file-order" for finding in found.findings):
        raise UserError(
            f"{manifest.folder} has recordings that no FILE_ORDER names: add them to {manifest.folder / 'FILE_ORDER'}, "
            'a talk id a line, or give the set the layout "audio".'
        )
    return found


def _read_recordings(manifest: TestSetManifest, found: Recordings) -> TestSet:
    folder = manifest.folder / "text"
    sentences = read_texts(folder, found.talks, manifest.source, manifest.targets)
    given = given_segments(found) if found.segments else None
    if given is not None:
        check_against_gold(folder, sentences, given)
    _check_expected(manifest, manifest.folder, len(found.talks), len(given or sentences.wavs))
    file_order = tuple(f"{talk}.wav" for talk in found.talks)
    gold = Segmentation(test_set=manifest.name, method="gold", segments=given) if given is not None else None
    sums = [[wav, sha256_of(found.audio / wav)] for wav in file_order]
    return TestSet(
        name=manifest.name,
        campaign_name=manifest.campaign_name,
        dataset=manifest.dataset,
        audio=found.audio,
        file_order=file_order,
        gold=gold,
        gold_audio=None,
        source=sentences.texts.get(manifest.source),
        references={code: sentences.texts[code] for code in manifest.targets},
        key=key_of([FORMAT, manifest.name, sums, gold, sentences.wavs, sentences.texts]),
        sentence_wavs=sentences.wavs if gold is None and sentences.wavs else None,
        findings=found.findings,
    )
