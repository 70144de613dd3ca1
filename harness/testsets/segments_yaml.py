"""Segmentations in the YAML of SHAS and IWSLT: a list of `{duration, offset, rW, uW, speaker_id, wav}`."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.audio.recording import SLACK, open_recording
from harness.core.errors import UserError
from harness.core.files import key_of, read_bounded
from harness.testsets.segments import Segment, Segmentation
from harness.testsets.testset import TestSet

LIMIT = 16 << 20
"""Size in bytes of the largest file that is read: some 150,000 segments."""


def to_yaml(segments: Iterable[Segment]) -> bytes:
    """Return segments as YAML, one line each, in their order, as SHAS writes them."""
    import yaml

    fixed = {"rW": 0, "uW": 0, "speaker_id": "NA"}
    rows = [{"duration": one.duration, "offset": one.offset, **fixed, "wav": one.wav} for one in segments]
    text = yaml.safe_dump(rows, default_flow_style=None, sort_keys=False, allow_unicode=True, width=math.inf)
    return str(text).encode()


def read_yaml(path: Path) -> tuple[Segment, ...]:
    """Read segments in the order of the file; keys other than wav, offset and duration are ignored.

    Raises:
        UserError: the file is missing, too large or not YAML, or an entry lacks a file name, an offset or a positive
            duration.
    """
    import yaml

    try:
        value = yaml.safe_load(read_bounded(path, LIMIT))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is not YAML ({reason}): restore it.") from error
    if not isinstance(value, list):
        raise UserError(f"{path} is not a list of segments {{wav, offset, duration}}: restore it.")
    return tuple(_entry(f"{path}, segment {number}", entry) for number, entry in enumerate(value, start=1))


def _entry(where: str, entry: Any) -> Segment:
    if not isinstance(entry, dict):
        raise UserError(f"{where}, is not a mapping with wav, offset and duration: correct it.")
    values: list[Any] = [entry.get(name) for name in ("wav", "offset", "duration")]
    wav, offset, duration = values
    if not isinstance(wav, str) or not wav or "/" in wav or "\\" in wav:
        raise UserError(f"{where}, names no recording by its bare file name ({wav!r:.80}): correct it.")
    if not (_is_number(offset) and _is_number(duration) and offset >= 0 and duration > 0):
        raise UserError(f"{where}, has offset {offset!r:.40} and duration {duration!r:.40}: give seconds as numbers.")
    return Segment(wav, float(offset), float(duration))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def from_file(test_set: TestSet, path: Path) -> Segmentation:
    """Read a segmentation of a test set that was made elsewhere; recordings are put in the order of FILE_ORDER.

    Raises:
        UserError: it does not read, names a recording that is not in the set, or a segment exceeds its recording.
    """
    segments = read_yaml(path)
    order = {wav: place for place, wav in enumerate(test_set.file_order)}
    unknown = next((segment.wav for segment in segments if segment.wav not in order), None)
    if unknown is not None:
        raise UserError(f"{path} names {unknown!r}, which is not in FILE_ORDER of {test_set.name!r}: correct it.")
    check_ends(test_set.audio, segments, path)
    ordered = sorted(segments, key=lambda segment: order[segment.wav])
    return Segmentation(test_set.name, f"file:{key_of(ordered)[:16]}", tuple(ordered))


def check_ends(audio: Path, segments: Sequence[Segment], path: Path) -> None:
    """Check that every segment that was read from a file ends with its recording, in the folder `audio`, at the latest.

    Raises:
        UserError: a segment exceeds its recording.
    """
    lengths = {wav: open_recording(audio / wav).seconds for wav in {segment.wav for segment in segments}}
    for segment in segments:
        if segment.offset + segment.duration > lengths[segment.wav] + SLACK:
            raise UserError(
                f"{path} has a segment at {segment.offset:g} s of {segment.duration:g} s that exceeds {segment.wav}, "
                f"which has {lengths[segment.wav]:.3f} s: correct it, or use the recordings that it was made for."
            )
