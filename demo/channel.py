"""Simulated recording channels: band limits, level, coloured noise."""

from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch import Tensor

from demo.speech import RATE

COLOURS = ("white", "pink", "brown", "hum", "crowd")
_BANK_SECONDS = 40
_BANDS = ((0, 8000), (0, 8000), (250, 3600), (0, 4200), (120, 5500), (400, 8000))


@dataclass(frozen=True)
class Channel:
    """Pass band in Hz, colour of the noise, signal-to-noise ratio in dB, peak level."""

    low: float
    high: float
    colour: str
    snr: float
    gain: float


def mixed(rng: Random) -> Channel:
    """Return a good microphone in a quiet room, or a rough channel in half of the cases."""
    if rng.random() < 0.5:
        return rough(rng)
    return _channel(rng, (0, 8000), rng.uniform(18, 40))


def rough(rng: Random) -> Channel:
    """Return a channel like those of the talks: narrower and noisier."""
    return _channel(rng, rng.choice(_BANDS), rng.uniform(10, 24))


def _channel(rng: Random, band: tuple[int, int], snr: float) -> Channel:
    return Channel(band[0], band[1], rng.choice(COLOURS), snr, rng.uniform(0.15, 0.9))


class NoiseBank:
    """Long tracks of noise with unit power, one of each colour."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.tracks = {name: _noise(rng, name) for name in COLOURS}

    def cut(self, rng: Random, colour: str, length: int) -> Tensor:
        """Return a random part of a track, which wraps around."""
        track = self.tracks[colour]
        start = rng.randrange(len(track))
        return torch.roll(track, -start)[:length] if length <= len(track) else _loop(track, length)


def _loop(track: Tensor, length: int) -> Tensor:
    return track.repeat(length // len(track) + 1)[:length]


def _noise(rng: np.random.Generator, colour: str) -> Tensor:
    count = _BANK_SECONDS * RATE
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20)
    shape = {
        "white": np.ones_like(hertz),
        "pink": hertz**-0.5,
        "brown": hertz**-1.0,
        "hum": hertz**-0.6 + 3 * (np.abs((hertz + 30) % 120 - 60) < 1) / hertz,
        "crowd": 1 / (1 + (hertz / 900) ** 2),
    }[colour]
    wave = np.fft.irfft(spectrum * shape, count)
    if colour == "crowd":  # a varying level, as of voices
        steps = rng.uniform(0.3, 1.5, count // 3200 + 2)
        wave *= np.interp(np.arange(count) / 3200, np.arange(len(steps)), steps)
    return torch.tensor(wave / wave.std(), dtype=torch.float32)


def band_gain(channel: Channel, hertz: Tensor) -> Tensor:
    """Return the magnitude response at these frequencies: fourth-order edges."""
    gain = torch.ones_like(hertz)
    if channel.high < RATE / 2:
        gain = gain / torch.sqrt(1 + (hertz / channel.high) ** 8)
    if channel.low > 0:
        gain = gain / torch.sqrt(1 + (channel.low / hertz.clamp(min=1)) ** 8)
    return gain


def transmit(speech: Tensor, channel: Channel, noise: Tensor, power: float) -> Tensor:
    """Return speech of this mean power, mixed with unit-power noise, through the channel."""
    level = (power / 10 ** (channel.snr / 10)) ** 0.5
    size = -(-len(speech) // RATE) * RATE  # lengths with small factors transform fast
    spectrum = torch.fft.rfft(speech + level * noise, size)
    hertz = torch.fft.rfftfreq(size, 1 / RATE)
    wave = torch.fft.irfft(spectrum * band_gain(channel, hertz), size)[: len(speech)]
    loudest: Tensor = wave.abs().max().clamp(min=1e-6)
    louder: Tensor = wave * (channel.gain / loudest)
    return louder
