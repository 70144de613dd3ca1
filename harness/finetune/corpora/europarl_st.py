"""Europarl-ST (Iranzo-Sánchez et al. 2020), release 1.1: debates of the European Parliament.

`<root>/en/audios/` holds one recording per speech, `<root>/en/de/train/segments.lst` one segment per line (recording,
start and end in seconds), and `segments.de` in the same folder the translations, line by line.
"""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

from harness.core.errors import UserError
from harness.finetune.corpora.base import CorpusRow, Listing, corpus, read_lines

_READABLE = (".wav", ".flac", ".mp3", ".ogg")
"""Formats that libsndfile reads; the .m4a of the release is not among them."""


@corpus("europarl-st", option="--europarl-st", folder="Europarl-ST, with one folder per language")
def read_europarl_st(root: Path, source: str, target: str) -> Listing:
    """List the training set of one pair, in ISO 639-1 codes.

    Raises:
        UserError: a file is missing, segments and translations differ in number, or recordings are still .m4a.
    """
    folder = root / source / target / "train"
    segments, texts = read_lines(folder / "segments.lst"), read_lines(folder / f"segments.{target}")
    if len(segments) != len(texts):
        raise UserError(
            f"{folder} has {len(segments)} segments but {len(texts)} translations, which correspond line by line: "
            "restore the released files."
        )
    listing = Listing()
    audio_of = _recording_finder(root / source / "audios")
    for segment, text in zip(segments, texts, strict=True):
        if (times := _times(segment)) is None:
            listing.left_out["broken row"] += 1
            continue
        name, start, end = times
        listing.add(CorpusRow(audio_of(name), name, text, start, round(end - start, 3)))
    return listing


def _times(segment: str) -> tuple[str, float, float] | None:
    """Return recording, start and end of a segment, or None for a line that is not a segment."""
    fields = segment.split()
    try:
        name, start, end = fields[0], float(fields[1]), float(fields[2])
    except (IndexError, ValueError):
        return None
    is_valid = len(fields) == 3 and Path(name).name == name and 0 <= start < end < math.inf
    return (name, start, end) if is_valid else None


def _recording_finder(folder: Path) -> Callable[[str], Path]:
    """Return a function that finds a recording by its name; its results are cached."""

    @cache
    def find(name: str) -> Path:
        # Names contain dots (en.20080924.31.3-260): with_suffix would replace a part of them.
        for suffix in _READABLE:
            if (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}"
        if (folder / f"{name}.m4a").is_file():
            raise UserError(
                f"{folder / name}.m4a is in the released format, which libsndfile does not read: convert every file of "
                "the folder first, e.g. `for f in *.m4a; do ffmpeg -i $f -ac 1 -ar 16000 ${f%.m4a}.flac; done`."
            )
        return folder / f"{name}{_READABLE[0]}"

    return find
