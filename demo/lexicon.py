"""The demo's words, read from the tables in ``demo/lexicon``."""

import csv
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "lexicon"


@dataclass(frozen=True)
class Noun:
    """A noun; `kind` is p(erson), t(hing), a(bstract), l(ocation) or e(vent).

    `gender` is m, f, n, or w for the masculines whose singular takes -en
    outside the nominative (der Student, den Studenten).
    """

    kind: str
    english: str
    plural: str
    german: str
    gender: str
    german_plural: str
    chinese: str
    classifier: str


@dataclass(frozen=True)
class Verb:
    """A transitive verb; a German infinitive with ``|`` is separable."""

    english: str
    past: str
    german: str
    german_third: str
    german_participle: str
    case: str
    chinese: str
    subject: str
    object: str


@dataclass(frozen=True)
class Adjective:
    """An adjective; `kinds` says which nouns it fits, ``*`` all of them."""

    english: str
    german: str
    stem: str
    chinese: str
    kinds: str

    @property
    def attributive_only(self) -> bool:
        """Whether it cannot follow "is"."""
        return self.kinds.startswith("!")

    @property
    def ordinal(self) -> bool:
        """Whether it is an ordinal number, which needs a classifier after it in Chinese."""
        return self.chinese[-1] in "一二三"

    def fits(self, kind: str) -> bool:
        """Whether it can describe a noun of this kind."""
        return "*" in self.kinds or kind in self.kinds


@dataclass(frozen=True)
class Name:
    """A proper name: f(irst name), l(ast name) or c(ity)."""

    kind: str
    english: str
    chinese: str


@dataclass(frozen=True)
class Determiner:
    """An article or the like; forms are indexed by case and gender."""

    english: tuple[str, str]
    german: tuple[str, ...]
    ending: str
    chinese: tuple[str, str]
    share: int

    def has(self, plural: bool) -> bool:
        """Whether it exists in this number."""
        return self.english[plural] != "-"


@dataclass(frozen=True)
class Pronoun:
    """A personal pronoun: English (subject, object), German by case."""

    english: tuple[str, str]
    german: tuple[str, str, str]
    chinese: str
    plural: bool


@dataclass(frozen=True)
class Modal:
    """A modal verb: German (third singular, plural)."""

    english: str
    german: tuple[str, str]
    chinese: str


@dataclass(frozen=True)
class Lexicon:
    """All words; the small classes are tuples (english, german, ..., chinese)."""

    nouns: tuple[Noun, ...]
    verbs: tuple[Verb, ...]
    adjectives: tuple[Adjective, ...]
    names: tuple[Name, ...]
    determiners: tuple[Determiner, ...]
    pronouns: tuple[Pronoun, ...]
    modals: tuple[Modal, ...]
    small: dict[str, tuple[tuple[str, ...], ...]]

    def noun(self, english: str) -> Noun:
        """Return the noun with this English singular."""
        return next(noun for noun in self.nouns if noun.english == english)


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def plural_of(word: str) -> str:
    """Return the regular English plural."""
    return word + "s"


def _nouns() -> tuple[Noun, ...]:
    rows = _rows("nouns.tsv")
    for row in rows:
        row["plural"] = row["plural"].replace("-", plural_of(row["english"]))
    return tuple(Noun(**row) for row in rows)


def _verbs() -> tuple[Verb, ...]:
    return tuple(Verb(**row) for row in _rows("verbs.tsv"))


def _adjectives() -> tuple[Adjective, ...]:
    rows = _rows("adjectives.tsv")
    return tuple(
        Adjective(
            row["english"],
            row["german"],
            row["german"] if row["german_stem"] == "-" else row["german_stem"],
            row["chinese"],
            row["kinds"],
        )
        for row in rows
    )


@cache
def talk() -> Lexicon:
    """Return the part of the lexicon that the talks use."""
    table = tomllib.loads((FOLDER / "talk.toml").read_text(encoding="utf-8"))
    words = {name: set(text.split()) for name, text in table.items()}
    every = load()
    return replace(
        every,
        nouns=tuple(one for one in every.nouns if one.english in words["nouns"]),
        verbs=tuple(one for one in every.verbs if one.english in words["verbs"]),
        adjectives=tuple(one for one in every.adjectives if one.english in words["adjectives"]),
        names=tuple(one for one in every.names if one.english in words["names"]),
    )


@cache
def load() -> Lexicon:
    """Return the whole lexicon."""
    closed = tomllib.loads((FOLDER / "closed.toml").read_text(encoding="utf-8"))
    small = {
        name: tuple((english, *words) for english, words in closed[name].items())
        for name in ("time", "degree", "preposition", "opinion", "trend", "label", "title")
    }
    return Lexicon(
        nouns=_nouns(),
        verbs=_verbs(),
        adjectives=_adjectives(),
        names=tuple(Name(**row) for row in _rows("names.tsv")),
        determiners=tuple(
            Determiner(
                (row["english"][0], row["english"][1]),
                tuple(row["german"].split()),
                row["ending"],
                (row["chinese"][0], row["chinese"][1]),
                row["share"],
            )
            for row in closed["determiner"]
        ),
        pronouns=tuple(
            Pronoun(
                (row["english"][0], row["english"][1]),
                tuple(row["german"].split()),
                row["chinese"],
                row["plural"],
            )
            for row in closed["pronoun"]
        ),
        modals=tuple(
            Modal(row["english"], (row["german"][0], row["german"][1]), row["chinese"]) for row in closed["modal"]
        ),
        small=small,
    )
