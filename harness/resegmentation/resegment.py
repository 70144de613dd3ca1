"""The verb: from translations of any segmentation to one line per reference line, stored by content."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.core.errors import UserError, check_format
from harness.core.files import key_of, read_json, write_json
from harness.core.findings import Finding, Severity
from harness.resegmentation.base import Resegmented, Resegmenter, Talk
from harness.resegmentation.text_mapping import SPACELESS, cut, prepare

FORMAT = 1


def resegment(talks: Sequence[Talk], resegmenter: Resegmenter, target: str, folder: Path) -> Resegmented:
    """Cut each talk's text along its reference lines; what is stored already is read.

    A talk without any text gives empty lines and a finding. An empty reference line gets no words, since no word is
    like it; where all of a talk's are empty, its first line gets the text, so that no word is lost.

    Args:
        talks: in the order of the test set.
        resegmenter: what cuts.
        target: ISO 639-1 code of the translations' language.
        folder: where results are stored by content key.

    Returns:
        one line per reference line; together they hold exactly the words of the talks.

    Raises:
        UserError: the tool is missing or fails, or it changes words.
    """
    identity = resegmenter.identity(target)
    path = folder / f"{key_of(['resegment', FORMAT, identity, target, talks])}.json"
    if path.exists():
        return _read(path)
    result = Resegmented(identity, _cut_all(talks, resegmenter, target), tuple(_missing(talks)))
    write_json(path, {"format_version": FORMAT, "resegmented": result})
    return result


def _cut_all(talks: Sequence[Talk], resegmenter: Resegmenter, target: str) -> tuple[str, ...]:
    ready = [_ready(talk) for talk in talks]
    hard = [number for number, talk in enumerate(ready) if talk.text and len(talk.references) > 1]
    answers = resegmenter.split([ready[number] for number in hard], target) if hard else []
    pieces = dict(zip(hard, answers, strict=True))
    lines: list[str] = []
    for number, talk in enumerate(talks):
        try:
            found = cut(talk.text, pieces[number]) if number in pieces else (talk.text,)
        except ValueError as error:
            raise UserError(f"{resegmenter.name} changed words of {talk.wav} ({error}): use another one.") from error
        lines += _spread(talk, found)
    _check_words(talks, lines, target)
    return tuple(lines)


def _ready(talk: Talk) -> Talk:
    """Return a talk as a tool may see it: harmless characters, no empty reference."""
    references = [prepare(line) for line in talk.references]
    return Talk(talk.wav, prepare(talk.text), tuple(line for line in references if line))


def _spread(talk: Talk, pieces: Sequence[str]) -> list[str]:
    """Give the pieces to the reference lines that are not empty, in order; without any, the first line takes all."""
    filled = [number for number, line in enumerate(talk.references) if line.split()] or [0]
    lines = [""] * len(talk.references)
    for number, piece in zip(filled, pieces, strict=False):
        lines[number] = piece
    return lines


def _check_words(talks: Sequence[Talk], lines: Sequence[str], target: str) -> None:
    """Hold what came out against what went in: the same words, or characters where there are no spaces."""
    glue = "" if target in SPACELESS else " "
    before = glue.join(talk.text for talk in talks).split()
    after = glue.join(lines).split()
    if target in SPACELESS:
        before, after = ["".join(before)], ["".join(after)]
    if before != after:
        raise UserError("The resegmenter cut inside a word: use another one, and report this with the texts.")


def _missing(talks: Sequence[Talk]) -> list[Finding]:
    sentence = "There is no translation of this recording, so its reference lines are scored as empty: translate it."
    empty = [talk for talk in talks if not talk.text.split()]
    return [Finding(talk.wav, "missing-talk", sentence, Severity.WARNING) for talk in empty]


def _read(path: Path) -> Resegmented:
    value = read_json(path)
    check_format(str(path), value.get("format_version") if isinstance(value, dict) else None, FORMAT)
    try:
        return msgspec.convert(value["resegmented"], Resegmented)
    except (KeyError, msgspec.ValidationError) as error:
        raise UserError(f"{path} does not read ({error}): delete it and score again.") from error
