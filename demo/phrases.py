"""Noun phrases in three languages at once, with agreement."""

from dataclasses import dataclass
from random import Random

from demo import german
from demo.lexicon import Adjective, Determiner, Lexicon, Name, Noun

_READABLE = tuple("book paper letter text story sentence report message newspaper proposal contract".split())  # noqa: SIM905


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: English (subject, object), German by case, Chinese."""

    english: tuple[str, str]
    german: tuple[str, str, str]
    chinese: str
    plural: bool

    def in_case(self, case: str) -> str:
        """Return the German phrase in this case."""
        return self.german[german.CASES.index(case)]


def indefinite(word: str) -> str:
    """Return the article "a" or "an" for a word, by its sound."""
    silent_h = word.startswith(("hour", "honest"))
    like_you = word.startswith(("uni", "use"))
    vowel = word[0].lower() in "aeiou" and not like_you
    return "an" if vowel or silent_h else "a"


def noun_phrase(determiner: Determiner, adjective: Adjective | None, noun: Noun, plural: bool) -> Phrase:
    """Return determiner, adjective and noun, inflected to agree."""
    words = [adjective.english] if adjective else []
    words.append(noun.plural if plural else noun.english)
    first = determiner.english[plural]
    english = " ".join([indefinite(words[0]) if first == "a" else first, *words])
    forms = [_german(determiner, adjective, noun, case, plural) for case in german.CASES]
    chinese = determiner.chinese[plural].format(c=noun.classifier)
    chinese += _chinese_adjective(adjective, noun) + noun.chinese
    return Phrase((english, english), (forms[0], forms[1], forms[2]), chinese, plural)


def _german(determiner: Determiner, adjective: Adjective | None, noun: Noun, case: str, plural: bool) -> str:
    words = [german.article(determiner, noun, case, plural)]
    if adjective:
        words.append(german.adjective_form(adjective.stem, determiner.ending, noun, case, plural))
    return " ".join([*words, german.noun_form(noun, case, plural)])


def _chinese_adjective(adjective: Adjective | None, noun: Noun) -> str:
    if adjective is None:
        return ""
    return adjective.chinese + (noun.classifier if adjective.ordinal else "的")


def counted(number: int, noun: Noun) -> Phrase:
    """Return a number with a plural noun: "47 students"."""
    forms = [f"{number} {german.noun_form(noun, case, True)}" for case in german.CASES]
    english = f"{number} {noun.plural}"
    chinese = f"{number}{noun.classifier}{noun.chinese}"
    return Phrase((english, english), (forms[0], forms[1], forms[2]), chinese, True)


def person(rng: Random, lexicon: Lexicon) -> Phrase:
    """Return a person's name, sometimes with a title or a home town."""
    first, last, city = (_name(rng, lexicon, kind) for kind in "flc")
    shape = rng.randrange(4)
    if shape == 0:
        english = german_name = first.english
        chinese = first.chinese
    elif shape == 1:
        english = german_name = f"{first.english} {last.english}"
        chinese = f"{first.chinese}·{last.chinese}"
    elif shape == 2:
        title = rng.choice(lexicon.small["title"])
        english, german_name = f"{title[0]} {last.english}", f"{title[1]} {last.english}"
        chinese = last.chinese + title[2]
    else:
        english = f"{first.english} from {city.english}"
        german_name = f"{first.english} aus {city.english}"
        chinese = f"{city.chinese}的{first.chinese}"
    return Phrase((english, english), (german_name,) * 3, chinese, False)


def _name(rng: Random, lexicon: Lexicon, kind: str) -> Name:
    return rng.choice([name for name in lexicon.names if name.kind == kind])


def pick_noun(rng: Random, lexicon: Lexicon, kinds: str) -> Noun:
    """Return a noun of one of the kinds; B stands for readable things."""
    if kinds == "B":
        known = {noun.english: noun for noun in lexicon.nouns}
        return rng.choice([known[word] for word in _READABLE if word in known])
    kind = rng.choice(kinds)
    return rng.choice([noun for noun in lexicon.nouns if noun.kind == kind])


def pick_phrase(rng: Random, lexicon: Lexicon, kinds: str, adjectives: float) -> Phrase:
    """Return a random noun phrase; `adjectives` is the probability of an adjective."""
    noun = pick_noun(rng, lexicon, kinds)
    if rng.random() < 0.08:
        return counted(rng.randrange(2, 100), noun)
    plural = noun.plural != noun.english and rng.random() < 0.35
    fitting = [one for one in lexicon.determiners if one.has(plural)]
    determiner = rng.choices(fitting, [one.share for one in fitting])[0]
    adjective = None
    if rng.random() < adjectives:
        adjective = rng.choice([one for one in lexicon.adjectives if one.fits(noun.kind)])
        if adjective.ordinal:
            plural, determiner = False, lexicon.determiners[0]
    return noun_phrase(determiner, adjective, noun, plural)
