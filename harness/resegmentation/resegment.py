"""Dividing translations of any segmentation into one line per reference line; results are stored by content."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.core.errors import UserError
from harness.core.findings import Finding, Severity
from harness.core.store import Store
from harness.resegmentation.resegmenter import Resegmented, Resegmenter, Talk
from harness.resegmentation.text_mapping import SPACELESS, cut, prepare

RESEGMENTATIONS = Store("resegmentation", Resegmented, 2)


def resegment(talks: Sequence[Talk], resegmenter: Resegmenter, target: str, folder: Path) -> Resegmented:
    """Divide each talk's text along its reference lines; a stored result is read.

    A talk without any text gives empty lines and a finding. An empty reference line gets no words, since no word
    resembles it; where all lines of a talk are empty, the first one gets the text, so that no word is lost.

    Args:
        talks: in the order of the test set.
        resegmenter: divides the texts.
        target: ISO 639-1 code of the translations' language.
        folder: where results are stored by content key.

    Returns:
        One line per reference line; together they have exactly the words of the talks.

    Raises:
        UserError: the tool is missing or fails, or changes words.
    """
    identity = resegmenter.identity(target)
    sentence = "There is no translation of this recording, so its reference lines are scored as empty: translate it."
    empty = [Finding(talk.wav, "missing-talk", sentence, Severity.WARNING) for talk in talks if not talk.text.split()]
    entry = RESEGMENTATIONS.entry(folder, [identity, target, msgspec.to_builtins(talks)])
    return entry.get(lambda: Resegmented(identity, _cut_all(talks, resegmenter, target), tuple(empty)))


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
    """Return a talk prepared for a tool: safe characters, no empty reference."""
    return Talk(talk.wav, prepare(talk.text), tuple(filter(None, map(prepare, talk.references))))


def _spread(talk: Talk, pieces: Sequence[str]) -> list[str]:
    """Assign the pieces to the reference lines that are not empty, in order; if all are empty, to the first one."""
    filled = [number for number, line in enumerate(talk.references) if line.split()] or [0]
    lines = [""] * len(talk.references)
    for number, piece in zip(filled, pieces, strict=False):
        lines[number] = piece
    return lines


def _check_words(talks: Sequence[Talk], lines: Sequence[str], target: str) -> None:
    """Check that the words (characters in languages without spaces) are the same before and after."""
    glue = "" if target in SPACELESS else " "
    before, after = glue.join(talk.text for talk in talks).split(), glue.join(lines).split()
    if glue.join(before) != glue.join(after):
        raise UserError("The resegmenter cut inside a word: use another one, and report this with the texts.")
