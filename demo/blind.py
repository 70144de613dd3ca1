"""The six blind sets of the demo, modelled on the campaign's: synthetic speech with noise, as archives.

<SET>/<SET>_audios.tar.gz    <SET>/FILE_ORDER, <SET>/<talk>.flac, and <SET>/<SET>.yaml where segments are given
<SET>/text/<talk>.<lang>.txt one sentence per line; the campaign's sets have none
"""

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from scipy.signal import resample_poly

from demo.channel import Channel, NoiseBank, transmit
from demo.corpus import coarse
from demo.effects import bangs, echoed, music
from demo.grammar import Sentence
from demo.speech import LONGEST, RATE, VOICES, Samples, Voice, speak
from demo.synthesise import SEED, split_sentences
from harness.testsets.segments import Segment
from harness.testsets.segments_yaml import to_yaml

TELEPHONE = 8_000
ALL = ("en", "de", "zh")


@dataclass(frozen=True)
class Speaker:
    """A voice with tempo, pitch and gain."""

    voice: Voice
    tempo: float = 1.0
    pitch: int = 50
    gain: float = 1.0


@dataclass(frozen=True)
class Scene:
    """One recording: speakers who take turns, and the channel."""

    name: str
    speakers: tuple[Speaker, ...]
    channel: Channel


@dataclass(frozen=True)
class BlindSet:
    """The demo's version of one of the campaign's sets.

    Attributes:
        name: its folder in the campaign's archive.
        scenes: recordings, in FILE_ORDER's order.
        sentences: sentences per recording.
        pauses: shortest and longest pause between sentences, in seconds.
        disturb: adds sounds other than speech to the clean recording.
        texts: languages of the text files; `en` is the transcript.
        gold: whether the set has gold segments.
        rate: samples per second of the files.
        numbers: whether all sentences contain numbers.
    """

    name: str
    scenes: tuple[Scene, ...]
    sentences: int = 26
    pauses: tuple[float, float] = (0.3, 0.9)
    disturb: Callable[[Samples, Random], Samples] = lambda clean, _: clean
    texts: tuple[str, ...] = ALL
    gold: bool = False
    rate: int = RATE
    numbers: bool = False


def _film(clean: Samples, rng: Random) -> Samples:
    room = echoed(clean, 0.25, 0.35, rng.randrange(1 << 30))
    return room + bangs(len(clean), 0.35, rng)


def _under_music(clean: Samples, rng: Random) -> Samples:
    speech = np.sqrt(np.mean(np.square(clean)))
    return clean + music(len(clean), float(speech) / 4, rng)


def _espeak(name: str, **how: float) -> Speaker:
    return Speaker(Voice("espeak-ng", name), float(how.get("tempo", 1.0)), int(how.get("pitch", 50)))


SETS = (
    BlindSet(
        "ACL6060",
        (
            Scene("2026.acl-demo.31", (Speaker(VOICES[7]),), Channel(0, 8000, "pink", 28, 0.5)),
            Scene("2026.acl-demo.7", (Speaker(VOICES[3], 1.05, 45),), Channel(0, 8000, "pink", 26, 0.5)),
        ),
    ),
    BlindSet(
        "BUSINESSNEWS",
        (
            Scene("news.2026-03-02", (Speaker(VOICES[9], 1.25),), Channel(0, 8000, "white", 30, 0.6)),
            Scene("news.2026-02-11", (Speaker(VOICES[1], 1.25, 55),), Channel(120, 5500, "pink", 24, 0.6)),
        ),
        sentences=34,
        pauses=(0.25, 0.5),
        numbers=True,
    ),
    BlindSet(
        "CALLCENTER",
        (
            Scene(
                "call.0417", (Speaker(VOICES[7]), Speaker(VOICES[2], 1.05, 42, 0.5)), Channel(300, 3400, "hum", 20, 0.5)
            ),
            Scene(
                "call.0093",
                (Speaker(VOICES[13]), Speaker(VOICES[9], 1.0, 50, 0.6)),
                Channel(300, 3400, "crowd", 18, 0.5),
            ),
        ),
        texts=("de", "zh"),
        rate=TELEPHONE,
    ),
    BlindSet(
        "CHALLENGEACCENT",
        (
            Scene("accent.b2", (_espeak("en-gb-scotland+m4"),), Channel(0, 8000, "pink", 24, 0.5)),
            Scene("accent.a5", (_espeak("en-029+f1", tempo=0.95),), Channel(0, 8000, "crowd", 24, 0.5)),
            Scene("accent.b1", (_espeak("en-gb-x-gbcwmd+m2", pitch=42),), Channel(0, 8000, "brown", 24, 0.5)),
        ),
        sentences=26,
        texts=("en", "de"),
        gold=True,
    ),
    BlindSet(
        "TVSERIES",
        (
            Scene(
                "series.s01e04", (Speaker(VOICES[1], 1.1, 58), Speaker(VOICES[9])), Channel(0, 8000, "brown", 26, 0.6)
            ),
            Scene(
                "series.s01e01", (Speaker(VOICES[10]), Speaker(VOICES[4], 1.1, 52)), Channel(0, 8000, "crowd", 24, 0.6)
            ),
        ),
        pauses=(0.2, 0.7),
        disturb=_film,
    ),
    BlindSet(
        "YOUTUBE",
        (
            Scene("yt.Zk3-q0", (Speaker(VOICES[0], 1.1, 55),), Channel(0, 4200, "white", 14, 0.7)),
            Scene("yt.9dFb_1", (Speaker(VOICES[12], 1.0, 45),), Channel(120, 5500, "crowd", 12, 0.7)),
        ),
        disturb=_under_music,
        texts=("en",),
    ),
)
"""YOUTUBE has no references, and CALLCENTER no transcripts, like sets of the campaign."""


@dataclass(frozen=True)
class TimedSentence:
    """One sentence of a recording: samples [start, stop) at 16 kHz."""

    sentence: Sentence
    start: int
    stop: int


def _spoken(one: BlindSet, scene: Scene, pool: list[Sentence], rng: Random) -> Iterator[tuple[Sentence, Samples]]:
    """Yield sentences and speech: speakers take turns of one to three sentences, which are removed from the pool."""
    speaker, turn, count = 0, rng.randrange(1, 4), 0
    while count < one.sentences:
        fitting = (i for i, s in enumerate(pool) if any(c.isdigit() for c in s.en) or not one.numbers)
        sentence, who = pool.pop(next(fitting)), scene.speakers[speaker]
        samples = speak(who.voice, sentence.en, who.tempo, who.pitch) * np.float32(who.gain)
        if len(samples) > LONGEST:
            continue
        yield sentence, samples
        count, turn = count + 1, turn - 1
        if turn == 0:
            speaker, turn = (speaker + 1) % len(scene.speakers), rng.randrange(1, 4)


def record_scene(
    one: BlindSet, scene: Scene, pool: list[Sentence]
) -> tuple[list[TimedSentence], npt.NDArray[np.int16]]:
    """Return one recording with its sentences: synthesised, with added sounds, through its channel."""
    rng, timed, pieces, place = Random(f"{SEED} {scene.name}"), [], [np.zeros(0, np.float32)], 0
    for sentence, samples in _spoken(one, scene, pool, rng):
        pause = int(rng.uniform(*one.pauses) * RATE)
        timed.append(TimedSentence(sentence, place + pause, place + pause + len(samples)))
        pieces += [np.zeros(pause, np.float32), samples]
        place = timed[-1].stop
    clean = np.concatenate([*pieces, np.zeros(RATE // 2, np.float32)])
    power = float(np.mean(np.square(clean[np.abs(clean) > 0])))
    noise = NoiseBank(SEED + 3).cut(rng, scene.channel.colour, len(clean))
    wave = transmit(torch.from_numpy(one.disturb(clean, rng)), scene.channel, noise, power).numpy()
    return timed, coarse(wave if one.rate == RATE else resample_poly(wave, one.rate, RATE).astype(np.float32))


def archive_bytes(one: BlindSet, recordings: dict[str, bytes], segments: list[Segment]) -> bytes:
    """Return the set's archive; equal contents give equal bytes."""
    files = {"FILE_ORDER": "".join(f"{scene.name}\n" for scene in one.scenes).encode()}
    files |= {f"{name}.flac": data for name, data in recordings.items()}
    if one.gold:
        files[f"{one.name}.yaml"] = to_yaml(segments)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{one.name}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), 6, mtime=0)


def _flac(audio: npt.NDArray[np.int16], rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, rate, format="FLAC", subtype="PCM_16", compression_level=1.0)
    return buffer.getvalue()


def write_set(one: BlindSet, pool: list[Sentence], folder: Path) -> None:
    """Write the archive and the texts of one set; its sentences are removed from the pool."""
    (folder / "text").mkdir(parents=True, exist_ok=True)
    recordings, segments = {}, []
    for scene in one.scenes:
        timed, audio = record_scene(one, scene, pool)
        recordings[scene.name] = _flac(audio, one.rate)
        segments += [Segment(f"{scene.name}.wav", s.start / RATE, (s.stop - s.start) / RATE) for s in timed]
        for code in one.texts:
            lines = "".join(f"{getattr(s.sentence, code)}\n" for s in timed)
            (folder / "text" / f"{scene.name}.{code}.txt").write_text(lines, encoding="utf-8")
    (folder / f"{one.name}_audios.tar.gz").write_bytes(archive_bytes(one, recordings, segments))


def write_sets(out: Path) -> None:
    """Write all six sets; their sentences occur in no other split."""
    pool = list(split_sentences()["blind"])
    for one in SETS:
        write_set(one, pool, out / one.name)
