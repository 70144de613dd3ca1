"""Training batches, in which one audio has several prompts packed into one sequence."""

from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from demo.channel import Channel, NoiseBank, transmit
from demo.model import IDS, CtcHead
from demo.prompts import Prompt
from demo.speech import Samples
from demo.synthesise import Spoken, Utterance
from demo.tokens import feature_extractor

HOP = 160


@dataclass(frozen=True)
class Batch:
    """Tensors of one step; `labels` is -100 where a position has no target."""

    features: Tensor
    frames: Tensor
    ids: Tensor
    branch: Tensor
    positions: Tensor
    labels: Tensor
    letters: Tensor
    letter_counts: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


def audio_tokens(frames: int) -> int:
    """Return the number of audio tokens for this many mel frames."""
    return ((frames - 1) // 2 - 1) // 2 + 1


class Featurizer:
    """Computes Whisper's log-mel features of a batch, by its torch implementation."""

    def __init__(self) -> None:
        self._extractor = feature_extractor()

    def __call__(self, waves: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the features, cut to the longest wave, and the number of mel frames of each."""
        frames = torch.tensor([len(wave) // HOP for wave in waves])
        width = int(-(-int(frames.max()) // 4) * 4)
        padded = torch.zeros(len(waves), (width + 8) * HOP)
        for row, wave in zip(padded, waves, strict=True):
            row[: len(wave)] = wave
        features = self._extractor._torch_extract_fbank_features(padded.numpy())  # noqa: SLF001 - the public call pads to the whole window
        return torch.from_numpy(np.asarray(features))[:, :, :width], frames


class TextLayout:
    """Makes packed token ids of a sentence for one prompt."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, prompt: Prompt) -> None:
        self._tokenizer = tokenizer
        self._before = self._encode(prompt.before)
        self._after = {name: self._encode(text) for name, text in prompt.after.items()}
        self._end = IDS[prompt.end]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text).input_ids
        return ids

    def row(self, tokens: int, targets: dict[str, str]) -> list[tuple[int, int, int, int]]:
        """Return (id, branch, position, label) of every token of the packed sequence."""
        shared = self._before + [IDS["<|AUDIO|>"]] * tokens
        row = [(token, 0, place, -100) for place, token in enumerate(shared)]
        for branch, (language, text) in enumerate(targets.items(), 1):
            prompt = self._after[language]
            ids = prompt + self._encode(text) + [self._end]
            # Logits predict the next token: labels are shifted by one.
            labels = [-100] * (len(prompt) - 1) + ids[len(prompt) :]
            row += [
                (token, branch, len(shared) + place, label)
                for place, (token, label) in enumerate(zip(ids[:-1], labels, strict=True))
            ]
        return row


def pad_rows(rows: list[list[tuple[int, int, int, int]]]) -> tuple[Tensor, ...]:
    """Return ids, branches, positions and labels, padded on the right."""
    width = max(len(row) for row in rows)
    full = [row + [(0, -1, 0, -100)] * (width - len(row)) for row in rows]
    return torch.tensor(full).unbind(-1)


class Source:
    """Batches of spoken sentences; a batch is a pure function of its number."""

    def __init__(self, spoken: Spoken, layout: TextLayout, languages: tuple[str, ...], seed: int) -> None:
        self.spoken, self._layout, self._languages, self._seed = spoken, layout, languages, seed
        self._bank, self._featurize = NoiseBank(seed), Featurizer()
        self.plan = cache(self._plan)

    def _plan(self, epoch: int, size: int) -> list[list[Utterance]]:
        """Return shuffled batches of utterances of similar length."""
        rng = Random(f"{self._seed} plan {epoch}")
        order = self.spoken.utterances(rng)
        pool = 16 * size
        batches: list[list[Utterance]] = []
        for first in range(0, len(order) - size + 1, pool):
            chunk = sorted(order[first : first + pool], key=lambda one: one.length)
            batches += [chunk[i : i + size] for i in range(0, len(chunk) - size + 1, size)]
        rng.shuffle(batches)
        return batches

    def batch(self, utterances: list[Utterance], channels: list[Channel], rng: Random) -> Batch:
        """Return a batch of utterances, each transmitted through its channel."""
        spoken = [self.spoken.utterance(one) for one in utterances]
        waves = [self._transmit(speech, channel, rng) for (_, speech), channel in zip(spoken, channels, strict=True)]
        features, frames = self._featurize(waves)
        chosen = [sentence for sentence, _ in spoken]
        rows = [
            self._layout.row(audio_tokens(int(count)), {code: getattr(one, code) for code in self._languages})
            for count, one in zip(frames, chosen, strict=True)
        ]
        letters = [torch.tensor(CtcHead.spell(one.en)) for one in chosen]
        counts = torch.tensor([len(row) for row in letters])
        ids, branch, positions, labels = pad_rows(rows)
        return Batch(features, frames, ids, branch, positions, labels, torch.cat(letters), counts)

    def _transmit(self, speech: Samples, channel: Channel, rng: Random) -> Tensor:
        noise = self._bank.cut(rng, channel.colour, len(speech))
        power = float(np.mean(np.square(speech)))
        return transmit(torch.from_numpy(speech), channel, noise, power)
