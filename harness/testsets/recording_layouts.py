"""Layouts of test sets that are handed out as recordings: the campaign's archives, and folders of audio."""

from harness.core.errors import UserError
from harness.core.files import key_of, sha256_of
from harness.testsets.layout import KEY_FORMAT, LAYOUTS, LayoutRequest
from harness.testsets.recordings import Recordings, find_archive, given_segments, import_archive, import_folder
from harness.testsets.reference_texts import check_against_gold, read_texts
from harness.testsets.segments import Segmentation
from harness.testsets.testset import TestSet


def _archive(request: LayoutRequest) -> TestSet:
    _check_folder(request)
    manifest = request.manifest
    return _read(request, import_archive(find_archive(manifest.folder), manifest.name, request.workdir))


def _audio(request: LayoutRequest) -> TestSet:
    return _read(request, _import_folder(request))


def _folder(request: LayoutRequest) -> TestSet:
    found, folder = _import_folder(request), request.manifest.folder
    if any(finding.rule == "file-order" for finding in found.findings):
        raise UserError(
            f"{folder} has recordings that no FILE_ORDER names: add them to {folder / 'FILE_ORDER'}, one talk id per "
            'line, or give the set the layout "audio".'
        )
    return _read(request, found)


def _import_folder(request: LayoutRequest) -> Recordings:
    _check_folder(request)
    return import_folder(request.manifest.folder, request.manifest.name, request.workdir)


def _check_folder(request: LayoutRequest) -> None:
    if not request.manifest.folder.is_dir():
        source = f" ({request.manifest.url})" if request.manifest.url else ""
        raise request.missing(request.manifest.folder, f"put the campaign's download{source} there")


def _read(request: LayoutRequest, found: Recordings) -> TestSet:
    manifest = request.manifest
    folder = manifest.folder / "text"
    sentences = read_texts(folder, found.talks, manifest.source, manifest.targets)
    given = given_segments(found) if found.segments else None
    if given is not None:
        check_against_gold(folder, sentences, given)
    manifest.check_counts(manifest.folder, len(found.talks), len(given or sentences.wavs))
    file_order = tuple(f"{talk}.wav" for talk in found.talks)
    gold = Segmentation(manifest.name, "gold", given) if given is not None else None
    digests = [[wav, sha256_of(found.audio / wav)] for wav in file_order]
    return TestSet(
        name=manifest.name,
        campaign_name=manifest.campaign_name,
        dataset=manifest.dataset,
        audio=found.audio,
        file_order=file_order,
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
