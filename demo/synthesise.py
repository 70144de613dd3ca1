"""Sentences of every split, and the training data as speech in shards."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from multiprocessing import Pool
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from demo.grammar import Sentence, sentences
from demo.lexicon import load, talk
from demo.speech import GENERAL, LONGEST, RATE, VOICES, Samples, speak_varied

SEED = 2026
SHARD = 1000
PAIRED = 0.25
# More than the corpus needs, since sentences that are too long are skipped.
SPLITS = {"eval": 250, "dev": 450, "tune": 12_000, "blind": 1200, "general": 24_000}
_SKIPPED = 4600  # sentences at the head of the general stream, left unused


@cache
def split_sentences() -> dict[str, tuple[Sentence, ...]]:
    """Return disjoint sentences for every split; a pure function of the seed.

    General sentences use the whole lexicon, all others the words of the talks.
    """
    general = tuple(islice(sentences(SEED, load()), _SKIPPED, _SKIPPED + SPLITS["general"]))
    known = {sentence.en for sentence in general}
    fresh = (one for one in sentences(SEED + 1, talk(), 10) if one.en not in known)
    talks = {name: tuple(islice(fresh, SPLITS[name])) for name in ("eval", "dev", "tune", "blind")}
    return talks | {"general": general}


def voice_of(rng: Random, split: str) -> int:
    """Return a random voice: general speech has the general voices, half of the tuning speech the others."""
    if split == "general":
        return rng.choice(GENERAL)
    others = [i for i in range(len(VOICES)) if i not in GENERAL]
    return rng.choice(others if rng.random() < 0.5 else list(GENERAL))


@dataclass(frozen=True)
class Spoken:
    """Sentences with their clean audio, all of it in one int16 array."""

    sentences: list[Sentence]
    audio: npt.NDArray[np.int16]
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sentences)

    def samples(self, index: int) -> Samples:
        """Return the audio of one sentence."""
        piece = self.audio[self.starts[index] : self.starts[index + 1]]
        return piece.astype(np.float32) / np.float32(32768)

    def utterance(self, utterance: "Utterance") -> tuple[Sentence, Samples]:
        """Return text and audio of one sentence, or of two with the pause between them."""
        chosen = [self.sentences[index] for index in utterance.indices]
        pieces = [self.samples(utterance.indices[0])]
        for index in utterance.indices[1:]:
            pieces += [np.zeros(utterance.pause, np.float32), self.samples(index)]
        english, german = (" ".join(getattr(one, code) for one in chosen) for code in ("en", "de"))
        return Sentence(english, german, "".join(one.zh for one in chosen)), np.concatenate(pieces)

    def utterances(self, rng: Random) -> list["Utterance"]:
        """Return all sentences in random order, a quarter of them paired with the next where both fit the window.

        Segmenters that cut at pauses produce such pairs.
        """
        order = list(range(len(self)))
        rng.shuffle(order)
        lengths = np.diff(self.starts)
        found: list[Utterance] = []
        while order:
            index, pause = order.pop(), rng.randrange(3 * RATE // 10, 9 * RATE // 10)
            room = LONGEST - pause - lengths[index] - (lengths[order[-1]] if order else LONGEST)
            together = rng.random() < PAIRED and room >= 0
            indices = (index, order.pop()) if together else (index,)
            found.append(Utterance(indices, pause, sum(int(lengths[i]) for i in indices) + pause * together))
        return found


@dataclass(frozen=True)
class Utterance:
    """A training example: sentences by index, samples of silence between them, total samples."""

    indices: tuple[int, ...]
    pause: int
    length: int


def _speak_shard(job: tuple[str, int, Sequence[Sentence], Path]) -> None:
    split, first, part, path = job
    kept: list[Sentence] = []
    pieces: list[Samples] = []
    for index, sentence in enumerate(part, first):
        rng = Random(f"{SEED} {split} {index}")
        samples = speak_varied(rng, voice_of(rng, split), sentence.en)
        if samples is not None:
            kept.append(sentence)
            pieces.append(samples)
    _write_shard(path, kept, pieces)


def _write_shard(path: Path, kept: list[Sentence], pieces: list[Samples]) -> None:
    audio = (np.concatenate(pieces) * 32767).astype(np.int16)
    starts = np.cumsum([0] + [len(piece) for piece in pieces])
    text = json.dumps([asdict(sentence) for sentence in kept], ensure_ascii=False)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, audio=audio, starts=starts, text=np.array(text))
    partial.replace(path)


def _shards(work: Path, split: str) -> list[tuple[int, Path]]:
    firsts = range(0, SPLITS[split], SHARD)
    return [(first, work / "speech" / f"{split}-{first:06d}.npz") for first in firsts]


def synthesise(work: Path, split: str, workers: int = 2) -> None:
    """Synthesise every sentence of a training split, except for finished shards."""
    (work / "speech").mkdir(parents=True, exist_ok=True)
    every = split_sentences()[split]
    jobs = [
        (split, first, every[first : first + SHARD], path) for first, path in _shards(work, split) if not path.exists()
    ]
    with Pool(workers) as pool:
        for done, _ in enumerate(pool.imap(_speak_shard, jobs), 1):
            print(f"synthesise {split}: shard {done} of {len(jobs)}", flush=True)


def load_spoken(work: Path, split: str, part: slice = slice(None)) -> Spoken:
    """Return the shards of a split, or some of them, joined."""
    every: list[Sentence] = []
    audio, starts, offset = [], [np.zeros(1, np.int64)], 0
    for _, path in _shards(work, split)[part]:
        with np.load(path) as shard:
            every += [Sentence(**row) for row in json.loads(str(shard["text"]))]
            audio.append(shard["audio"])
            starts.append(shard["starts"][1:] + offset)
        offset += len(audio[-1])
    return Spoken(every, np.concatenate(audio), np.concatenate(starts))
