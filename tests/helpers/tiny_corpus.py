"""A tiny corpus of noise in the demo's committed form, and the manifest of a test set that points to it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TALKS = ("2026.tiny-talks.9", "2026.tiny-talks.10", "2026.tiny-talks.9b")
"""Not in sorted order, and with dots: as in the ACL 60/60 release."""


@dataclass(frozen=True)
class Row:
    """One sentence of the corpus: samples [start, end) of a talk."""

    talk: str
    start: int
    end: int


def rows(per_talk: int, seed: int = 0) -> list[Row]:
    """Return sentences of 0.4 to 1.5 s, some of which overlap the next by a little."""
    import numpy as np

    random = np.random.default_rng(seed)
    made = []
    for talk in TALKS:
        position = 1000
        for _ in range(per_talk):
            length = int(random.integers(6400, 24000))
            made.append(Row(talk, position, position + length))
            position += length + int(random.integers(-3000, 4000))
    return made


def write_corpus(folder: Path, sentences: Sequence[Row], talks: Sequence[str] = TALKS) -> Path:
    """Write one split in the demo's committed form, every talk with its own noise, and return the folder."""
    import soundfile

    folder.mkdir(parents=True)
    (folder / "FILE_ORDER").write_text("".join(f"{talk}\n" for talk in talks))
    for number, talk in enumerate(talks):
        end = max(row.end for row in sentences if row.talk == talk)
        soundfile.write(folder / f"{talk}.flac", noise(end + 4000, seed=number), 16_000, subtype="PCM_16")
    lines = []
    for number, row in enumerate(sentences, start=1):
        texts = {"en": f"Sentence {number}.", "de": f"Satz {number}.", "zh": f"第{number}句。"}
        lines.append(json.dumps({"talk": row.talk, "start": row.start, "end": row.end, **texts}, ensure_ascii=False))
    (folder / "sentences.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def noise(samples: int, seed: int) -> "NDArray[np.int16]":
    """Return noise that swells and falls, so that no two stretches of it sound alike."""
    import numpy as np

    random = np.random.default_rng(seed)
    swell = 1 + np.sin(np.arange(samples) * (seed + 1) / 900)
    return np.asarray(3000 * swell * random.standard_normal(samples), dtype=np.float64).astype(np.int16)


def write_manifest(path: Path, folder: Path, layout: str = "demo", sentences: int | None = None) -> str:
    """Write a manifest of the split `eval` in `folder`, and return its path as the name of a test set."""
    count = "" if sentences is None else f"sentences = {sentences}\n"
    path.write_text(
        f'format_version = 1\nname = "tiny-eval"\ndataset = "tiny"\ncampaign_name = "TINY"\nlayout = "{layout}"\n'
        f'path = "{folder}"\nsplit = "eval"\nsource = "en"\ntargets = ["de", "zh"]\nlicence = "none"\n{count}'
    )
    return str(path)
