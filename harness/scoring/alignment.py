"""Align hypotheses of any segmentation with the references, line by line."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.config.language_pair import target_language
from harness.config.scoring import Scoring
from harness.core.errors import UserError
from harness.core.files import read_bounded
from harness.core.manifests import data_root
from harness.core.progress import log
from harness.core.workdir import WorkDir
from harness.inference.hypothesis import HypothesisSet
from harness.resegmentation import Resegmented, Talk, get_resegmenter, resegment
from harness.resegmentation.text_mapping import join
from harness.scoring.metric import Texts
from harness.scoring.postprocess import POSTPROCESSORS
from harness.testsets.segments import Segment
from harness.testsets.testset import TestSet

GOLD = "gold"  # in signatures, in place of a resegmenter: the hypotheses are of the gold segments


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Translations before alignment, by a system of the harness or imported.

    Attributes:
        origin: how they were made and by which artifact, the end of signatures: `gen:...|artifact:...`.
        segments: the translated segment of each line; recordings in any order, segments of a recording in order.
        texts: one line per segment.
    """

    system: str
    test_set: str
    direction: str
    origin: str
    segments: tuple[Segment, ...]
    texts: tuple[str, ...]

    @property
    def target(self) -> str:
        """ISO 639-1 code of the translations' language."""
        return target_language(self.direction)


def lines_of(made: HypothesisSet) -> Lines:
    """Return a system's hypotheses as lines.

    Raises:
        UserError: they are incomplete or out of order.
    """
    if any(hypothesis.index != position for position, hypothesis in enumerate(made.hypotheses)):
        raise UserError(f"The hypotheses of {made.system} are incomplete or out of order: generate them again.")
    return Lines(
        system=made.system,
        test_set=made.test_set,
        direction=made.direction,
        origin=f"gen:{made.signature}|artifact:{made.artifact}",
        segments=tuple(hypothesis.segment for hypothesis in made.hypotheses),
        texts=tuple(hypothesis.text for hypothesis in made.hypotheses),
    )


def aligned(lines: Lines, test_set: TestSet, workdir: WorkDir, settings: Scoring) -> Texts:
    """Pair lines with the references and sources of the gold segments, after re-segmentation where that is needed.

    Raises:
        UserError: another test set, no references in that language, incomplete hypotheses, a recording without
            references, or a resegmenter that is missing or fails.
    """
    if lines.test_set != test_set.name:
        raise UserError(f"These are hypotheses of {lines.test_set}, not of {test_set.name}: name the right test set.")
    if lines.target not in test_set.references:
        raise UserError(f"{test_set.name} has no references in {lines.target!r}: it can be translated but not scored.")
    clean = POSTPROCESSORS.get(settings.postprocess)
    texts = tuple(clean.apply(text, lines.target) for text in lines.texts)
    found = _cut(msgspec.structs.replace(lines, texts=texts), test_set, workdir, settings)
    for finding in found.findings:
        log(f"{lines.system} on {test_set.name}: {finding}")
    return Texts(
        hypotheses=found.lines,
        references=test_set.references[lines.target],
        sources=_sources(test_set, settings),
        target=lines.target,
        made_by=_made_by(lines, test_set, settings, found.identity),
    )


def made_by(made: HypothesisSet, test_set: TestSet, settings: Scoring | None = None) -> str:
    """Return the half of a signature that states how the hypotheses were made, and from which set.

    Raises:
        UserError: they are incomplete, or the resegmenter is missing.
    """
    chosen, lines = settings or Scoring(), lines_of(made)
    resegmenter = GOLD if is_gold(lines, test_set) else get_resegmenter(chosen.resegmenter).identity(lines.target)
    return _made_by(lines, test_set, chosen, resegmenter)


def _made_by(lines: Lines, test_set: TestSet, settings: Scoring, resegmenter: str) -> str:
    post = POSTPROCESSORS.get(settings.postprocess).identity
    return f"post:{post}|reseg:{resegmenter}|set:{test_set.name}@{test_set.key[:12]}|{lines.origin}"


def is_gold(lines: Lines, test_set: TestSet) -> bool:
    """Whether the lines are of gold segments, so that no re-segmentation is needed.

    Raises:
        UserError: they are of gold segments, but not of all of them or not in their order.
    """
    gold = test_set.gold.segments if test_set.gold else ()
    if not set(lines.segments) <= set(gold):
        return False
    if len(lines.segments) != len(gold):
        raise UserError(
            f"{lines.system} has {len(lines.segments)} hypotheses for the {len(gold)} gold segments of "
            f"{test_set.name}: translate its gold segmentation completely, then score again."
        )
    for position, (one, other) in enumerate(zip(lines.segments, gold, strict=True)):
        if one != other:
            raise UserError(
                f"Hypothesis {position} of {lines.system} is not of gold segment {position} of {test_set.name}: "
                "translate its gold segmentation, then score again."
            )
    return True


def _cut(lines: Lines, test_set: TestSet, workdir: WorkDir, settings: Scoring) -> Resegmented:
    if is_gold(lines, test_set):
        return Resegmented(GOLD, lines.texts)
    tool = get_resegmenter(settings.resegmenter)
    return resegment(talks(lines, test_set), tool, lines.target, workdir.resegmented)


def talks(lines: Lines, test_set: TestSet) -> tuple[Talk, ...]:
    """Return the translation of each recording as one text, with its reference lines, in the set's order.

    Raises:
        UserError: lines of a recording without references, or not as many texts as segments.
    """
    count, target = len(lines.segments), lines.target
    if count != len(lines.texts):
        raise UserError(f"{lines.system} has {len(lines.texts)} lines for {count} segments: give one line each.")
    texts = _by_recording([segment.wav for segment in lines.segments], lines.texts)
    gold = _by_recording(_recordings(test_set, target), test_set.references[target])
    if unknown := sorted(texts.keys() - gold.keys()):
        raise UserError(f"{test_set.name} has no references of {unknown[0]}: score the set that it belongs to.")
    return tuple(Talk(wav, join(texts.get(wav, []), target), tuple(found)) for wav, found in gold.items())


def _by_recording(wavs: Sequence[str], lines: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for wav, line in zip(wavs, lines, strict=True):
        found.setdefault(wav, []).append(line)
    return found


def _recordings(test_set: TestSet, target: str) -> tuple[str, ...]:
    """Return the recording that each reference line belongs to."""
    if test_set.gold is not None:
        return tuple(segment.wav for segment in test_set.gold.segments)
    if test_set.sentence_wavs is not None:
        return test_set.sentence_wavs
    if len(test_set.file_order) == 1:
        return test_set.file_order * len(test_set.references[target])
    raise UserError(
        f"{test_set.name} does not state which recording each reference line belongs to, so it cannot be scored: "
        "give it gold segments."
    )


def _sources(test_set: TestSet, settings: Scoring) -> tuple[str, ...] | None:
    """Return the set's transcripts, or those of the file that the task names for a set without any."""
    named = settings.comet.sources.get(test_set.name) if settings.comet else None
    if test_set.source is not None or named is None:
        return test_set.source
    path = data_root() / Path(named).expanduser()
    try:
        return tuple(read_bounded(path).decode().removesuffix("\n").split("\n"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: save the source sentences as UTF-8, one a line.") from error
