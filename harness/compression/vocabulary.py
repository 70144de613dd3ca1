"""Vocabulary analysis (Diet-KIT section 4.2): the scripts of a tokenizer's tokens, and the bytes that pruning saves.

A token belongs to the script of its letters; punctuation, digits, spaces and symbols belong to none. Byte-level tokens
that are an incomplete UTF-8 character can be needed for any script, so they never count as prunable: the fraction of
prunable tokens is a lower bound.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import msgspec

from harness.compression.codecs.base import Certainty
from harness.compression.plan import Plan
from harness.core.errors import UserError
from harness.core.files import read_json
from harness.core.unicode_scripts import OF_SOME_LANGUAGES, Script, script_of_language, script_of_text
from harness.models.tensor_spec import Component

_BYTE_TOKEN = re.compile(r"<0x[0-9A-Fa-f]{2}>")
"""A single byte in the vocabulary of tokenizers that are not byte-level."""


class Count(msgspec.Struct, frozen=True):
    """The number of tokens of one script.

    Attributes:
        share: percentage of all tokens except special ones; None for special tokens.
        needed: whether text in one of the languages, or text in any language, needs them.
    """

    script: Script
    tokens: int
    share: float | None
    needed: bool


class Vocabulary(msgspec.Struct, frozen=True):
    """The number of a tokenizer's tokens except special ones, and all tokens by script, the most frequent script first.

    The languages are those that must stay.
    """

    tokens: int
    languages: tuple[str, ...]
    counts: tuple[Count, ...]

    @property
    def prunable(self) -> int:
        """Number of tokens that none of the languages needs."""
        return sum(count.tokens for count in self.counts if not count.needed)


class Saving(msgspec.Struct, frozen=True):
    """The bytes that removing a number of rows (tokens) would save in embedding and head of one system.

    Tokenizer files are not counted.
    """

    system: str
    tokens: int
    bytes: int
    certainty: Certainty


def analyse(tokenizer: Path, languages: Iterable[str]) -> Vocabulary:
    """Count the tokens by script of the `tokenizer.json` in a directory.

    The languages that must stay are given by their ISO 639-1 codes.

    Raises:
        UserError: the directory has no tokenizer or an empty vocabulary, or the script of a language is not known.
    """
    codes = tuple(dict.fromkeys(languages))
    needed = {script_of_language(code) for code in codes}
    counter = Counter(_scripts(tokenizer / "tokenizer.json"))
    total = counter.total() - counter[Script.SPECIAL]
    counts = []
    for script, tokens in counter.most_common():
        share = None if script is Script.SPECIAL else 100 * tokens / total
        counts.append(Count(script, tokens, share, needed=script in needed or script not in OF_SOME_LANGUAGES))
    return Vocabulary(total, codes, tuple(counts))


def saving(plan: Plan, tokens: int) -> Saving:
    """Return the bytes that a plan would save if so many rows (tokens) were removed from embedding and head.

    Raises:
        UserError: the model does not have more rows than that.
    """
    saved, kinds = 0, set()
    for row in plan.assignments:
        if row.tensor.component not in {Component.EMBEDDING, Component.HEAD} or len(row.tensor.shape) != 2:
            continue
        rows, columns = row.tensor.shape
        if tokens >= rows:
            raise UserError(
                f"Cannot remove {tokens} of the {rows} rows of {row.tensor.name}: name this model's tokenizer."
            )
        smaller = msgspec.structs.replace(row.tensor, shape=(rows - tokens, columns))
        before, after = row.codec.size(row.tensor), row.codec.size(smaller)
        saved += before.bytes - after.bytes
        kinds.add(before.certainty)
    # The difference of two upper bounds is not a bound.
    return Saving(plan.system, tokens, saved, Certainty.EXACT if kinds <= {Certainty.EXACT} else Certainty.ESTIMATE)


class _AddedToken(msgspec.Struct, frozen=True):
    content: str
    special: bool = False


class _Model(msgspec.Struct, frozen=True):
    vocab: dict[str, int]


class _Decoder(msgspec.Struct, frozen=True):
    type: str = ""
    decoders: tuple[dict[str, object], ...] = ()

    @property
    def is_byte_level(self) -> bool:
        """Whether tokens are in the byte-level alphabet."""
        return "ByteLevel" in {self.type, *(each.get("type") for each in self.decoders)}


class _Tokenizer(msgspec.Struct, frozen=True):
    """The parts of a `tokenizer.json` that are read here."""

    model: _Model
    added_tokens: tuple[_AddedToken, ...] = ()
    decoder: _Decoder | None = None


def _scripts(path: Path) -> Iterator[Script]:
    """Yield the script of every token."""
    tokenizer = _read(path)
    special = {token.content for token in tokenizer.added_tokens if token.special}
    plain = {token.content for token in tokenizer.added_tokens} - special
    byte_level = tokenizer.decoder is not None and tokenizer.decoder.is_byte_level
    yield from [Script.SPECIAL] * len(special)
    yield from map(script_of_text, plain)
    for token in tokenizer.model.vocab.keys() - special - plain:
        yield _script_of_bytes(token) if byte_level else _script_of_plain(token)


def _read(path: Path) -> _Tokenizer:
    try:
        read = msgspec.convert(read_json(path), _Tokenizer)
    except msgspec.ValidationError as error:
        raise UserError(f"{path} has no valid vocabulary ({error}): name a directory with a BPE tokenizer.") from error
    if not read.model.vocab:
        raise UserError(f"{path} has an empty vocabulary: name a directory with a BPE tokenizer.")
    return read


def _script_of_plain(token: str) -> Script:
    return Script.BYTES if _BYTE_TOKEN.fullmatch(token) else script_of_text(token)


def _script_of_bytes(token: str) -> Script:
    """Return the script of a token in the byte-level alphabet, or BYTES for an incomplete UTF-8 character."""
    try:
        return script_of_text(bytes(_alphabet()[letter] for letter in token).decode())
    except (KeyError, UnicodeDecodeError):
        return Script.BYTES


@cache
def _alphabet() -> dict[str, int]:
    """Return the byte for each character of the byte-level alphabet.

    Printable bytes of Latin-1 stand for themselves; the others, in order, are the characters from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + index): byte for index, byte in enumerate(others)}
