"""Recordings as a campaign hands them out, tiny: archives, folders, manifests, and hostile members."""

import gzip
import io
import tarfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.tiny_corpus import noise

RATE = 16_000
TALKS = ("2026.tiny-talks.9", "2026.tiny-talks.10")
"""Not in sorted order, and with dots."""


def wav_bytes(seconds: float = 1.0, seed: int = 0, rate: int = RATE) -> bytes:
    """Return a mono 16-bit WAV file of noise."""
    out = io.BytesIO()
    with wave.open(out, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes(noise(int(seconds * rate), seed).tobytes())
    return out.getvalue()


def tar_bytes(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Return a gzipped tar of these members, in this order."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            info.size = len(data) if info.isreg() else info.size
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), 1)


def plain_file(name: str, data: bytes = b"text") -> tuple[tarfile.TarInfo, bytes]:
    """Return a member that is a plain file."""
    return tarfile.TarInfo(name), data


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """Return a member that is a link, a device or a folder."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


@dataclass(frozen=True)
class Hand:
    """What a set is made of."""

    talks: tuple[str, ...] = TALKS
    order: str | None = "".join(f"{talk}\n" for talk in TALKS)
    segments: str | None = None


def write_archive(folder: Path, hand: Hand | None = None, name: str = "TINY_audios.tar.gz") -> Path:
    """Write a campaign's archive: a second of noise per talk, each its own."""
    hand = hand or Hand()
    members = [plain_file(f"TINY/{talk}.wav", wav_bytes(seed=n)) for n, talk in enumerate(hand.talks)]
    if hand.order is not None:
        members.append(plain_file("TINY/FILE_ORDER", hand.order.encode()))
    if hand.segments is not None:
        members.append(plain_file("TINY/TINY.yaml", hand.segments.encode()))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(tar_bytes(members))
    return folder / name


def write_texts(folder: Path, languages: Sequence[str], counts: Sequence[int] = (3, 2)) -> None:
    """Write `text/<talk>.<language>.txt` with so many lines per talk."""
    (folder / "text").mkdir(parents=True, exist_ok=True)
    for talk, count in zip(TALKS, counts, strict=True):
        for language in languages:
            lines = "".join(f"{language} {talk} {number}\n" for number in range(count))
            (folder / "text" / f"{talk}.{language}.txt").write_text(lines)


def write_manifest(path: Path, folder: Path, layout: str = "archive", targets: Sequence[str] = ()) -> str:
    """Write a manifest and return its path as the name of a set."""
    path.write_text(
        f'format_version = 1\nname = "tiny-blind"\ndataset = "tiny"\ncampaign_name = "TINY"\nlayout = "{layout}"\n'
        f'path = "{folder}"\nsource = "en"\ntargets = {list(targets)}\nlicence = "none"\n'
    )
    return str(path)
