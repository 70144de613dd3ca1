"""Sounds other than speech: room echo, bangs and sweeps as in a film, background music."""

from random import Random

import numpy as np
from scipy.signal import fftconvolve

from demo.speech import RATE, Samples

_CHORDS = ((220.0, 277.2, 329.6), (196.0, 246.9, 293.7), (174.6, 220.0, 261.6), (196.0, 246.9, 329.6))
"""A major, G major, F major, E minor over G: fundamental frequencies in Hz."""


def echoed(speech: Samples, seconds: float, share: float, seed: int) -> Samples:
    """Return speech with room echo.

    Args:
        speech: samples.
        seconds: time in which the impulse response, exponentially decaying noise, falls by 60 dB.
        share: level of the echo relative to the speech.
        seed: of the noise.
    """
    length = int(seconds * RATE)
    response = np.random.default_rng(seed).standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    wet = fftconvolve(speech, response / np.sqrt(np.square(response).sum()))[: len(speech)]
    mixed: Samples = (speech + share * wet).astype(np.float32)
    return mixed


def bangs(length: int, level: float, rng: Random) -> Samples:
    """Return a track with a bang or a sweep every few seconds; `level` is the peak of each."""
    track = np.zeros(length, np.float32)
    place = rng.randrange(RATE, 4 * RATE)
    while place < length - RATE:
        sound = _bang(rng) if rng.random() < 0.5 else _sweep(rng)
        track[place : place + len(sound)] += level * sound
        place += rng.randrange(3 * RATE, 8 * RATE)
    return track


def _bang(rng: Random) -> Samples:
    time = np.arange(RATE // 2) / RATE
    noise = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(len(time))
    sound = np.cumsum(noise) * np.exp(-12 * time)
    full: Samples = (sound / np.abs(sound).max()).astype(np.float32)
    return full


def _sweep(rng: Random) -> Samples:
    time = np.arange(RATE) / RATE
    low, high = rng.uniform(150, 400), rng.uniform(600, 1500)
    sound = np.sin(2 * np.pi * (low * time + (high - low) / 2 * np.square(time))) * np.sin(np.pi * time)
    rising: Samples = sound.astype(np.float32)
    return rising


def music(length: int, level: float, rng: Random) -> Samples:
    """Return broken chords, four notes per second; `level` is the root mean square."""
    note = RATE // 4
    time = np.arange(2 * note) / RATE
    track = np.zeros(length + 2 * note, np.float32)
    for number, place in enumerate(range(0, length, note)):
        hertz = rng.choice(_CHORDS[number // 8 % len(_CHORDS)]) * rng.choice((1, 2))
        tone = sum(np.sin(2 * np.pi * hertz * part * time) / part**2 for part in (1, 2, 3))
        track[place : place + 2 * note] += (tone * np.exp(-5 * time)).astype(np.float32)
    track = track[:length]
    scaled: Samples = track * np.float32(level / np.sqrt(np.mean(np.square(track))))
    return scaled
