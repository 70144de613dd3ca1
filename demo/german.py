"""German inflection: gender, case, number, conjugation, separable verbs."""

from demo.lexicon import Determiner, Noun, Verb

CASES = ("nominative", "accusative", "dative")
_GENDERS = {"m": 0, "w": 0, "f": 1, "n": 2}
_ENDINGS = {
    # nominative, accusative, dative; each masculine, feminine, neuter, plural
    "weak": "e e e en en e e en en en en en",
    "mixed": "er e es en en e es en en en en en",
    "strong": "er e es e en e es e em er em en",
}


def slot(noun: Noun, case: str, plural: bool) -> int:
    """Return the index into a table of twelve forms (three cases by four columns)."""
    return 4 * CASES.index(case) + (3 if plural else _GENDERS[noun.gender])


def noun_form(noun: Noun, case: str, plural: bool) -> str:
    """Return the noun in this case and number."""
    if not plural:
        weak = noun.gender == "w" and case != "nominative"
        return noun.german_plural if weak else noun.german
    plain = case != "dative" or noun.german_plural[-1] in "ns"
    return noun.german_plural if plain or noun.german_plural[-1] == "a" else noun.german_plural + "n"


def article(determiner: Determiner, noun: Noun, case: str, plural: bool) -> str:
    """Return the determiner that agrees with the noun."""
    return determiner.german[slot(noun, case, plural)]


def adjective_form(stem: str, ending: str, noun: Noun, case: str, plural: bool) -> str:
    """Return the attributive adjective; `ending` is weak, mixed or strong."""
    return stem + _ENDINGS[ending].split()[slot(noun, case, plural)]


def finite(verb: Verb, plural: bool) -> tuple[str, str]:
    """Return the present tense in the main clause: (verb, separated particle or "")."""
    particle, _, stem = verb.german.rpartition("|")
    return (stem if plural else verb.german_third), particle


def infinitive(verb: Verb) -> str:
    """Return the infinitive as one word."""
    return verb.german.replace("|", "")


def contract(sentence: str) -> str:
    """Contract prepositions and articles, as is usual."""
    return sentence.replace(" in dem ", " im ").replace(" bei dem ", " beim ")


def capital(sentence: str) -> str:
    """Return the sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]
