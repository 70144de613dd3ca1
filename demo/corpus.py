"""The corpus of synthetic talks: long recordings with pauses, as FLAC, text and timings."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from demo.channel import Channel, NoiseBank, transmit
from demo.grammar import Sentence
from demo.speech import LONGEST, RATE, VOICES, Samples, speak
from demo.synthesise import SEED, split_sentences

STEP = 256  # the amplitudes are multiples of this: FLAC then stores 8 bits a sample
PER_TALK = {"dev": 60, "eval": 30}


@dataclass(frozen=True)
class Talk:
    """One speaker in one channel."""

    name: str
    voice: int
    tempo: float
    pitch: int
    channel: Channel


def _talk(number: int, voice: int, tempo: float, pitch: int, channel: Channel) -> Talk:
    return Talk(f"2026.demo-talks.{number}", voice, tempo, pitch, channel)


TALKS = {
    "dev": (
        _talk(268, 1, 1.00, 50, Channel(0, 8000, "pink", 24, 0.5)),
        _talk(117, 10, 1.05, 50, Channel(120, 5500, "crowd", 20, 0.5)),
        _talk(590, 12, 0.95, 42, Channel(250, 3600, "brown", 22, 0.5)),
        _talk(63, 9, 1.05, 50, Channel(0, 4200, "hum", 18, 0.5)),
        _talk(367, 11, 1.10, 58, Channel(400, 8000, "pink", 20, 0.5)),
    ),
    "eval": (
        _talk(410, 13, 1.00, 55, Channel(0, 8000, "crowd", 24, 0.5)),
        _talk(88, 2, 1.10, 45, Channel(250, 3600, "pink", 20, 0.5)),
        _talk(529, 7, 1.00, 50, Channel(0, 4200, "brown", 22, 0.5)),
        _talk(204, 10, 1.05, 50, Channel(120, 5500, "hum", 18, 0.5)),
        _talk(135, 4, 0.95, 50, Channel(0, 8000, "pink", 20, 0.5)),
    ),
}


@dataclass(frozen=True)
class Row:
    """One line of sentences.jsonl; start and end count samples at 16 kHz."""

    talk: str
    start: int
    end: int
    en: str
    de: str
    zh: str


def _speak_talk(talk: Talk, pool: list[Sentence], count: int) -> list[tuple[Sentence, Samples]]:
    """Synthesise sentences from the pool until the talk has enough; too long ones are skipped."""
    spoken: list[tuple[Sentence, Samples]] = []
    while len(spoken) < count:
        sentence = pool.pop(0)
        samples = speak(VOICES[talk.voice], sentence.en, talk.tempo, talk.pitch)
        if len(samples) <= LONGEST:
            spoken.append((sentence, samples))
    return spoken


def _lay_out(talk: Talk, spoken: list[tuple[Sentence, Samples]]) -> tuple[list[Row], Samples]:
    """Join the sentences, with pauses of 0.3 to 0.9 s."""
    rng = Random(f"{SEED} {talk.name}")
    pieces, rows, place = [], [], 0
    for sentence, samples in spoken:
        pause = rng.randrange(3 * RATE // 10, 9 * RATE // 10)
        start = place + pause
        place = start + len(samples)
        pieces += [np.zeros(pause, np.float32), samples]
        rows.append(Row(talk.name, start, place, **asdict(sentence)))
    return rows, np.concatenate([*pieces, np.zeros(RATE // 2, np.float32)])


def coarse(wave: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Return 16-bit samples whose low bits are zero."""
    steps = np.round(wave * 32768 / STEP)
    kept: npt.NDArray[np.int16] = (np.clip(steps, -32768 // STEP, 32767 // STEP) * STEP).astype(np.int16)
    return kept


def record(talk: Talk, spoken: list[tuple[Sentence, Samples]]) -> tuple[list[Row], npt.NDArray[np.int16]]:
    """Return the talk after its channel, with noise in the pauses as well."""
    rows, clean = _lay_out(talk, spoken)
    power = float(np.mean([np.mean(np.square(samples)) for _, samples in spoken]))
    noise = NoiseBank(SEED + 1).cut(Random(talk.name), talk.channel.colour, len(clean))
    wave = transmit(torch.from_numpy(clean), talk.channel, noise, power)
    return rows, coarse(wave.numpy())


def write_split(out: Path, split: str) -> None:
    """Write FILE_ORDER, the talks and sentences.jsonl of dev or eval."""
    folder = out / "corpus" / split
    folder.mkdir(parents=True, exist_ok=True)
    pool, lines = list(split_sentences()[split]), []
    for talk in TALKS[split]:
        rows, audio = record(talk, _speak_talk(talk, pool, PER_TALK[split]))
        path = folder / f"{talk.name}.flac"
        soundfile.write(path, audio, RATE, subtype="PCM_16", compression_level=1.0)
        lines += [json.dumps(asdict(row), ensure_ascii=False) for row in rows]
    names = "".join(f"{talk.name}\n" for talk in TALKS[split])
    (folder / "FILE_ORDER").write_text(names, encoding="utf-8")
    (folder / "sentences.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_split(out: Path, split: str) -> list[tuple[Row, Samples]]:
    """Return every sentence with its part of the talk, in order."""
    folder = out / "corpus" / split
    text = (folder / "sentences.jsonl").read_text(encoding="utf-8")
    rows = [Row(**json.loads(line)) for line in text.splitlines()]
    talks = {name: soundfile.read(folder / f"{name}.flac", dtype="float32")[0] for name in {row.talk for row in rows}}
    return [(row, talks[row.talk][row.start : row.end]) for row in rows]
