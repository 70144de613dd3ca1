"""Translations with graded corruptions: training data of the demo's COMET."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from demo.grammar import Sentence

Words = list[str]
Edit = Callable[[Random, Words, Words], tuple[Words, float]]
"""Makes one edit: takes the words of translation and source, returns the words and how many words it damages."""


@dataclass(frozen=True)
class Triple:
    """A source, a translation, its reference, and the translation's quality from 0 to 1."""

    src: str
    mt: str
    ref: str
    score: float


def split(text: str, language: str) -> Words:
    """Return words, or characters for Chinese."""
    return list(text) if language == "zh" else text.split()


def join(words: Sequence[str], language: str) -> str:
    """Return the text of words; the inverse of `split`."""
    return ("" if language == "zh" else " ").join(words)


def drop(rng: Random, words: Words, _: Words) -> tuple[Words, float]:
    """Remove a word."""
    place = rng.randrange(len(words))
    return words[:place] + words[place + 1 :], 1.0


def swap(rng: Random, words: Words, _: Words) -> tuple[Words, float]:
    """Exchange two words; since both are kept, this counts as one damaged word."""
    one, other = rng.randrange(len(words)), rng.randrange(len(words))
    words = list(words)
    words[one], words[other] = words[other], words[one]
    return words, float(one != other)


def repeat(rng: Random, words: Words, _: Words) -> tuple[Words, float]:
    """Repeat a word; this counts half as much as a missing one."""
    place = rng.randrange(len(words))
    return words[: place + 1] + words[place:], 0.5


def truncate(rng: Random, words: Words, _: Words) -> tuple[Words, float]:
    """Remove the end of the translation."""
    kept = rng.randrange(len(words))
    return words[:kept], float(len(words) - kept)


def untranslated(rng: Random, words: Words, source: Words) -> tuple[Words, float]:
    """Replace a word by one of the source."""
    place = rng.randrange(len(words))
    return [*words[:place], rng.choice(source), *words[place + 1 :]], 1.0


EDITS: tuple[Edit, ...] = (drop, drop, swap, repeat, truncate, untranslated)
_OTHER, _PERFECT = 0.08, 0.12


def triple(rng: Random, sentences: Sequence[Sentence], index: int, language: str) -> Triple:
    """Return a sentence with its translation: unchanged, corrupted, or that of another sentence."""
    sentence, unrelated = sentences[index], rng.choice(sentences)
    ref, other = getattr(sentence, language), getattr(unrelated, language)
    chance = rng.random()
    if chance < _PERFECT:
        return Triple(sentence.en, ref, ref, 1.0)
    words, other_words = split(ref, language), split(other, language)
    if chance < _PERFECT + _OTHER:
        shared = len(set(words) & set(other_words)) / len(set(words))
        return Triple(sentence.en, other, ref, max(0.0, shared - 0.5))
    damage, aim = 0.0, rng.random() ** 1.5 * len(words)
    while words and damage <= aim:
        words, added = _edit(rng, words, other_words, sentence.en.split())
        damage += added
    return Triple(sentence.en, join(words, language), ref, max(0.0, 1.0 - damage / len(split(ref, language))))


def _edit(rng: Random, words: Words, other_words: Words, source: Words) -> tuple[Words, float]:
    """Make one edit; in half of the cases `untranslated` takes its word from an unrelated translation."""
    edit = rng.choice((*EDITS, untranslated))
    return edit(rng, words, other_words if rng.random() < 0.5 and edit is untranslated else source)
