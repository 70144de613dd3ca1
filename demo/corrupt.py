"""Translations made worse by a known amount: what the demo's COMET learns from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from demo.grammar import Sentence

Words = list[str]
Edit = Callable[[Random, Words, Words], tuple[Words, float]]
"""Makes one edit; gets the words of the translation and of the source, returns the words and how many are harmed."""


@dataclass(frozen=True)
class Triple:
    """A source, a translation, its reference, and how good the translation is: 1 perfect, 0 worthless."""

    src: str
    mt: str
    ref: str
    score: float


def split(text: str, language: str) -> Words:
    """Words, or characters where there are no spaces."""
    return list(text) if language == "zh" else text.split()


def join(words: Sequence[str], language: str) -> str:
    """The inverse of `split`."""
    return ("" if language == "zh" else " ").join(words)


def drop(rng: Random, words: Words, _: Words) -> tuple[Words, float]:
    """Leave out a word."""
    place = rng.randrange(len(words))
    return words[:place] + words[place + 1 :], 1.0


def swap(rng: Random, words: Words, _: Words) -> tuple[Words, float]:
    """Exchange two words; both are still there, so it counts as one."""
    one, other = rng.randrange(len(words)), rng.randrange(len(words))
    words = list(words)
    words[one], words[other] = words[other], words[one]
    return words, float(one != other)


def repeat(rng: Random, words: Words, _: Words) -> tuple[Words, float]:
    """Say a word twice; it does half the harm of a missing one."""
    place = rng.randrange(len(words))
    return words[: place + 1] + words[place:], 0.5


def truncate(rng: Random, words: Words, _: Words) -> tuple[Words, float]:
    """Stop early."""
    kept = rng.randrange(len(words))
    return words[:kept], float(len(words) - kept)


def untranslated(rng: Random, words: Words, source: Words) -> tuple[Words, float]:
    """Leave a word in the source's language."""
    place = rng.randrange(len(words))
    return [*words[:place], rng.choice(source), *words[place + 1 :]], 1.0


EDITS: tuple[Edit, ...] = (drop, drop, swap, repeat, truncate, untranslated)
_OTHER, _PERFECT = 0.08, 0.12


def triple(rng: Random, sentences: Sequence[Sentence], index: int, language: str) -> Triple:
    """One sentence with its translation as it is, made worse, or exchanged for another sentence's."""
    sentence, stranger = sentences[index], rng.choice(sentences)
    ref, other = getattr(sentence, language), getattr(stranger, language)
    chance = rng.random()
    if chance < _PERFECT:
        return Triple(sentence.en, ref, ref, 1.0)
    words, strange = split(ref, language), split(other, language)
    if chance < _PERFECT + _OTHER:
        shared = len(set(words) & set(strange)) / len(set(words))
        return Triple(sentence.en, other, ref, max(0.0, shared - 0.5))
    harm, wanted = 0.0, rng.random() ** 1.5 * len(words)
    while words and harm <= wanted:
        words, done = _edit(rng, words, strange, sentence.en.split())
        harm += done
    return Triple(sentence.en, join(words, language), ref, max(0.0, 1.0 - harm / len(split(ref, language))))


def _edit(rng: Random, words: Words, strange: Words, source: Words) -> tuple[Words, float]:
    """Make one edit; a replacement takes its word from a stranger's sentence."""
    edit = rng.choice((*EDITS, untranslated))
    return edit(rng, words, strange if rng.random() < 0.5 and edit is untranslated else source)
