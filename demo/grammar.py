"""A small synchronous grammar: every sentence is generated in three languages.

German has verb-second order in main clauses and the verb last in subordinate
ones; Chinese puts time, place and means before the verb.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from demo import german
from demo.lexicon import Lexicon, Modal, Verb
from demo.phrases import Phrase, person, pick_noun, pick_phrase

Words = tuple[str, ...]


@dataclass(frozen=True)
class Sentence:
    """One sentence in English, German and Chinese."""

    en: str
    de: str
    zh: str


@dataclass(frozen=True)
class Clause:
    """Who does what to whom, when, where; `mood` is present, past or a modal."""

    subject: Phrase
    verb: Verb
    mood: str | Modal
    object: Phrase
    time: Words | None = None
    place: tuple[Words, Phrase] | None = None


def _third(base: str) -> str:
    if base.endswith(("s", "sh", "ch", "x", "o")):
        return base + "es"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ies"
    return base + "s"


def _english_verb(clause: Clause) -> str:
    if isinstance(clause.mood, Modal):
        return f"{clause.mood.english} {clause.verb.english}"
    if clause.mood == "past":
        return clause.verb.past
    return clause.verb.english if clause.subject.plural else _third(clause.verb.english)


def _english_rest(clause: Clause) -> list[str]:
    words = [clause.object.english[1]]
    if clause.place:
        words += [clause.place[0][0], clause.place[1].english[1]]
    return words


def english(clause: Clause, time_first: bool) -> str:
    """Return the English clause: subject, verb, object, place, time; or time first."""
    core = [clause.subject.english[0], _english_verb(clause), *_english_rest(clause)]
    time = [clause.time[0]] if clause.time else []
    return " ".join([*time, *core] if time_first else [*core, *time])


def _german_verb(clause: Clause) -> tuple[str, str]:
    """Return the finite verb, and the part that ends the clause."""
    plural = clause.subject.plural
    if isinstance(clause.mood, Modal):
        return clause.mood.german[plural], german.infinitive(clause.verb)
    if clause.mood == "past":
        return ("haben" if plural else "hat"), clause.verb.german_participle
    return german.finite(clause.verb, plural)


def _german_middle(clause: Clause, time: bool) -> list[str]:
    case = "dative" if clause.verb.case == "d" else "accusative"
    words = [clause.time[1]] if time and clause.time else []
    words.append(clause.object.in_case(case))
    if clause.place:
        (_, preposition, place_case, *_), phrase = clause.place
        words += [preposition, phrase.in_case(place_case)]
    return words


def german_main(clause: Clause, time_first: bool) -> str:
    """Return a German main clause: one constituent, the finite verb, the rest."""
    finite, last = _german_verb(clause)
    subject = clause.subject.in_case("nominative")
    if time_first and clause.time:
        words = [clause.time[1], finite, subject, *_german_middle(clause, time=False)]
    else:
        words = [subject, finite, *_german_middle(clause, time=True)]
    return " ".join([*words, last]).strip()


def german_inverted(clause: Clause) -> str:
    """Return a German clause with the finite verb first: questions, and main clauses after another clause."""
    finite, last = _german_verb(clause)
    middle = _german_middle(clause, time=True)
    return " ".join([finite, clause.subject.in_case("nominative"), *middle, last]).strip()


def german_subordinate(clause: Clause) -> str:
    """Return a German subordinate clause: the finite verb last, separable verbs in one word."""
    finite, last = _german_verb(clause)
    separable = clause.mood == "present"
    verb = last + finite if separable else f"{last} {finite}"
    middle = _german_middle(clause, time=True)
    return " ".join([clause.subject.in_case("nominative"), *middle, verb])


def chinese(clause: Clause, time_first: bool) -> str:
    """Return the Chinese clause: time before or after the subject, place and means before the verb."""
    time = clause.time[2] if clause.time else ""
    subject = clause.subject.chinese
    modal = clause.mood.chinese if isinstance(clause.mood, Modal) else ""
    place = clause.place[0][3].format(n=clause.place[1].chinese) if clause.place else ""
    verb = clause.verb.chinese + ("了" if clause.mood == "past" else "")
    head = time + subject if time_first else subject + time
    return head + modal + place + verb + clause.object.chinese


def _subject(rng: Random, lexicon: Lexicon, kinds: str, adjectives: float) -> Phrase:
    chance = rng.random()
    if "p" in kinds and chance < 0.3:
        pronoun = rng.choice(lexicon.pronouns)
        return Phrase(pronoun.english, pronoun.german, pronoun.chinese, pronoun.plural)
    if "p" in kinds and chance < 0.5:
        return person(rng, lexicon)
    return pick_phrase(rng, lexicon, kinds, adjectives)


def _object(rng: Random, lexicon: Lexicon, kinds: str, adjectives: float) -> Phrase:
    if kinds == "p" and rng.random() < 0.3:
        return person(rng, lexicon)
    return pick_phrase(rng, lexicon, kinds, adjectives)


def _mood(rng: Random, lexicon: Lexicon) -> str | Modal:
    moods: list[str | Modal] = ["present", "past", rng.choice(lexicon.modals)]
    return rng.choice(moods)


def clause(rng: Random, lexicon: Lexicon, extras: float) -> Clause:
    """Return a random clause; `extras` scales the probability of adjectives, time and place."""
    verb = rng.choice(lexicon.verbs)
    place = None
    if rng.random() < 0.4 * extras:
        words = rng.choice(lexicon.small["preposition"])
        place = words, pick_phrase(rng, lexicon, words[4], 0.3 * extras)
    return Clause(
        subject=_subject(rng, lexicon, verb.subject, 0.4 * extras),
        verb=verb,
        mood=_mood(rng, lexicon),
        object=_object(rng, lexicon, verb.object, 0.5 * extras),
        time=rng.choice(lexicon.small["time"]) if rng.random() < 0.35 * extras else None,
        place=place,
    )


def statement(rng: Random, lexicon: Lexicon) -> Sentence:
    """Return a sentence like "Today the students read a new book in the library"."""
    one = clause(rng, lexicon, 1.0)
    first = one.time is not None and rng.random() < 0.5
    return Sentence(english(one, first), german_main(one, first), chinese(one, first))


def opinion(rng: Random, lexicon: Lexicon) -> Sentence:
    """Return a sentence like "We believe that the model learns the rule"."""
    inner = clause(rng, lexicon, 0.6)
    who = _subject(rng, lexicon, "p", 0.2)
    verb, third, plural, zh = rng.choice(lexicon.small["opinion"])
    en_verb = verb.split()[not who.plural]
    return Sentence(
        f"{who.english[0]} {en_verb} that {english(inner, False)}",
        f"{who.in_case('nominative')} {plural if who.plural else third}, dass {german_subordinate(inner)}",
        who.chinese + zh + chinese(inner, False),
    )


def reason(rng: Random, lexicon: Lexicon) -> Sentence:
    """Return a sentence like "They choose the method because it solves the problem"."""
    main, why = clause(rng, lexicon, 0.2), clause(rng, lexicon, 0.2)
    return Sentence(
        f"{english(main, False)} because {english(why, False)}",
        f"{german_main(main, False)}, weil {german_subordinate(why)}",
        f"{chinese(main, False)}，因为{chinese(why, False)}",  # noqa: RUF001 - Chinese comma
    )


def condition(rng: Random, lexicon: Lexicon) -> Sentence:
    """Return a sentence like "If the test finds an error, we must change the plan"."""
    given, main = clause(rng, lexicon, 0.2), clause(rng, lexicon, 0.2)
    return Sentence(
        f"if {english(given, False)}, {english(main, False)}",
        f"wenn {german_subordinate(given)}, {german_inverted(main)}",
        f"如果{chinese(given, False)}，{chinese(main, False)}",  # noqa: RUF001
    )


def question(rng: Random, lexicon: Lexicon) -> Sentence:
    """Return a question like "Can we measure the signal?"."""
    one = clause(rng, lexicon, 0.6)
    modal = rng.choice(lexicon.modals)
    modal_clause = Clause(one.subject, one.verb, modal, one.object, one.time, one.place)
    rest = [one.subject.english[0], one.verb.english, *_english_rest(one)]
    time = [one.time[0]] if one.time else []
    return Sentence(
        " ".join([modal.english, *rest, *time]) + "?",
        german_inverted(modal_clause) + "?",
        chinese(modal_clause, False) + "吗？",  # noqa: RUF001
    )


def quality(rng: Random, lexicon: Lexicon) -> Sentence:
    """Return a sentence like "The results are very interesting"."""
    kind = rng.choice("ptael")
    who = pick_phrase(rng, lexicon, kind, 0.3)
    fitting = [a for a in lexicon.adjectives if a.fits(kind) and not a.attributive_only]
    adjective = rng.choice(fitting)
    degree = rng.choice(lexicon.small["degree"])
    english_be, german_be = rng.choice(
        [("are", "sind"), ("were", "waren")] if who.plural else [("is", "ist"), ("was", "war")]
    )
    return Sentence(
        f"{who.english[0]} {english_be} {degree[0]} {adjective.english}",
        f"{who.in_case('nominative')} {german_be} {degree[1]} {adjective.german}",
        who.chinese + degree[2] + adjective.chinese,
    )


def trend(rng: Random, lexicon: Lexicon) -> Sentence:
    """Return a sentence like "The price falls by 12 percent"."""
    noun = pick_noun(rng, lexicon, "a")
    determiner = lexicon.determiners[rng.choice([0, 2, 4])]
    verb = rng.choice(lexicon.small["trend"])
    number = rng.randrange(2, 100)
    de_article = german.capital(german.article(determiner, noun, "nominative", False))
    zh = determiner.chinese[0].format(c=noun.classifier)
    return Sentence(
        f"{determiner.english[0]} {noun.english} {verb[0]} by {number} percent",
        f"{de_article} {noun.german} {verb[1]} um {number} Prozent",
        f"{zh}{noun.chinese}{verb[2]}了百分之{number}",
    )


def caption(rng: Random, lexicon: Lexicon) -> Sentence:
    """Return a sentence like "Figure 12 shows the structure"."""
    label = rng.choice(lexicon.small["label"])
    number = rng.randrange(2, 100)
    english_verb = rng.choice(["show", "describe"])
    verb = next(one for one in lexicon.verbs if one.english == english_verb)
    subject = Phrase((f"{label[0]} {number}",) * 2, (f"{label[1]} {number}",) * 3, f"{label[2]}{number}", False)
    one = Clause(subject, verb, "present", pick_phrase(rng, lexicon, "atpl", 0.5))
    return Sentence(english(one, False), german_main(one, False), chinese(one, False))


Rule = Callable[[Random, Lexicon], Sentence]
RULES: tuple[tuple[Rule, float], ...] = (
    (statement, 8), (opinion, 2), (reason, 1), (condition, 1),
    (question, 1.5), (quality, 2), (trend, 1), (caption, 1),
)  # fmt: skip


def finish(sentence: Sentence) -> Sentence:
    """Add a capital letter, and a full stop unless the sentence is a question."""
    en, de, zh = sentence.en, sentence.de, sentence.zh
    if not en.endswith("?"):
        en, de, zh = en + ".", de + ".", zh + "。"
    return Sentence(german.capital(en), german.capital(german.contract(de)), zh)


def sentences(seed: int, lexicon: Lexicon, longest: int = 12) -> Iterator[Sentence]:
    """Yield distinct random sentences of at most `longest` English words."""
    rng, seen = Random(seed), set[str]()
    rules, weights = zip(*RULES, strict=True)
    while True:
        one = finish(rng.choices(rules, weights)[0](rng, lexicon))
        if one.en not in seen and len(one.en.split()) <= longest:
            seen.add(one.en)
            yield one
