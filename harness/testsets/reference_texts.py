"""Texts of recordings: one file per talk and language, `<talk>.<language>.txt`, one sentence per line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import UserError
from harness.testsets.acl6060 import read_sentences
from harness.testsets.segments import Segment


@dataclass(frozen=True)
class ReferenceTexts:
    """The texts of a test set, talk by talk; line N of one language corresponds to line N of the others.

    Attributes:
        wavs: the recording that each line belongs to.
        texts: lines by language; a language without files has no entry.
    """

    wavs: tuple[str, ...]
    texts: dict[str, tuple[str, ...]]


def read_texts(folder: Path, talks: Sequence[str], source: str, targets: Sequence[str]) -> ReferenceTexts:
    """Read the texts of all talks.

    Args:
        folder: the folder of the files; it need not exist when no text is expected.
        talks: talk ids in the order of FILE_ORDER.
        source: language of the speech; either all talks have transcripts or none has.
        targets: languages of the references, which are required.

    Raises:
        UserError: a file is missing, is not UTF-8, or has another number of lines than the others of its talk.
    """
    transcribed = any((folder / f"{talk}.{source}.txt").exists() for talk in talks)
    languages = (*((source,) if transcribed else ()), *targets)
    texts: dict[str, list[str]] = {language: [] for language in languages}
    wavs: list[str] = []
    for talk in talks if languages else ():
        lines = {language: read_sentences(folder / f"{talk}.{language}.txt") for language in languages}
        counts = {language: len(found) for language, found in lines.items()}
        if len(set(counts.values())) != 1:
            found = ", ".join(f"{language} {count}" for language, count in counts.items())
            raise UserError(
                f"The texts of {talk} in {folder} differ in their number of lines ({found}): restore the files."
            )
        for language in languages:
            texts[language] += lines[language]
        wavs += [f"{talk}.wav"] * len(lines[languages[0]])
    return ReferenceTexts(tuple(wavs), {language: tuple(lines) for language, lines in texts.items()})


def check_against_gold(folder: Path, sentences: ReferenceTexts, segments: Sequence[Segment]) -> None:
    """Check that every line has a given segment.

    Raises:
        UserError: a recording has another number of lines than of given segments.
    """
    if not sentences.wavs:
        return
    gold = [segment.wav for segment in segments]
    for wav in dict.fromkeys((*gold, *sentences.wavs)):
        lines, given = sentences.wavs.count(wav), gold.count(wav)
        if lines != given:
            found = f"{lines} line(s) for the {given} given segment(s) of {wav}"
            raise UserError(f"{folder} has {found}: restore the files.")
