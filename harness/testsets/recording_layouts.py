"""Layouts of test sets that are handed out as recordings: the campaign's archives, and folders of audio."""

from pathlib import Path

from harness.core.errors import UserError
from harness.core.files import key_of, sha256_of
from harness.testsets.layout import KEY_FORMAT, LAYOUTS, LayoutRequest
from harness.testsets.recordings import Recordings, find_archive, given_segments, import_archive, import_folder
from harness.testsets.reference_texts import check_against_gold, read_texts
from harness.testsets.segments import Segmentation
from harness.testsets.testset import TestSet


def _archive(request: LayoutRequest) -> TestSet:
    archive = find_archive(_existing(request))
    return _read(request, import_archive(archive, request.manifest.name, request.workdir))


def _audio(request: LayoutRequest) -> TestSet:
    return _read(request, import_folder(_existing(request), request.manifest.name, request.workdir))


def _folder(request: LayoutRequest) -> TestSet:
    folder = _existing(request)
    found = import_folder(folder, request.manifest.name, request.workdir)
    if any(finding.rule == "file-order" for finding in found.findings):
        raise UserError(
            f"{folder} has recordings that no FILE_ORDER names: add them to {folder / 'FILE_ORDER'}, one talk id per "
            'line, or give the set the layout "audio".'
        )
    return _read(request, found)


def _existing(request: LayoutRequest) -> Path:
    folder, url = request.manifest.folder, request.manifest.url
    if not folder.is_dir():
        raise request.missing(folder, f"put the campaign's download{f' ({url})' if url else ''} there")
    return folder


def _read(request: LayoutRequest, found: Recordings) -> TestSet:
    manifest = request.manifest
    folder = manifest.folder / "text"
    sentences = read_texts(folder, found.talks, manifest.source, manifest.targets)
    given = given_segments(found) if found.segments else None
    if given is not None:
        check_against_gold(folder, sentences, given)
    manifest.check_counts(manifest.folder, len(found.talks), len(given or sentences.wavs))
    gold = Segmentation(manifest.name, "gold", given) if given is not None else None
    digests = [[f"{talk}.wav", sha256_of(found.audio / f"{talk}.wav")] for talk in found.talks]
    return TestSet(
        name=manifest.name,
        campaign_name=manifest.campaign_name,
        dataset=manifest.dataset,
        audio=found.audio,
        file_order=tuple(f"{talk}.wav" for talk in found.talks),
        gold=gold,
        source=sentences.texts.get(manifest.source),
        references={code: sentences.texts[code] for code in manifest.targets},
        key=key_of([KEY_FORMAT, manifest.name, digests, gold, sentences.wavs, sentences.texts]),
        sentence_wavs=sentences.wavs if gold is None and sentences.wavs else None,
        findings=found.findings,
    )


LAYOUTS.add("archive", _archive, __name__)
LAYOUTS.add("folder", _folder, __name__)
LAYOUTS.add("audio", _audio, __name__)
