"""Aligning: from hypotheses of any segmentation to texts that stand line by line beside the references."""

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

GOLD = "gold"
"""What signatures say where the hypotheses stand on the gold segments, so that nothing was cut."""


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Translations as they come, from our own systems or from others'.

    Attributes:
        system: name of the system, for people.
        test_set: name of the test set.
        direction: e.g. `en-de`.
        origin: how they were made and by which bytes, as signatures end: `gen:...|artifact:...`.
        segments: what each line is a translation of, recordings in any order, a recording's segments in theirs.
        texts: as many lines.
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
    """Pair lines with the references and sources of the gold segments, after re-segmentation where that is due.

    Raises:
        UserError: another test set, no references in that language, incomplete hypotheses, a recording that the
            references do not know, or a resegmenter that is missing or fails.
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
    """Return the half of a signature that says how the hypotheses were made and on what.

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
    """Whether the lines are of gold segments, so that nothing needs to be cut.

    Raises:
        UserError: they are of gold segments, but not of all of them or not in their order.
    """
    gold = test_set.gold.segments if test_set.gold else ()
    known = set(gold)
    if not all(segment in known for segment in lines.segments):
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
    return resegment(talks(lines, test_set), tool, lines.target, workdir.root / "resegmented")


def talks(lines: Lines, test_set: TestSet) -> tuple[Talk, ...]:
    """Return what was said about each recording as one text, beside its reference lines, in the set's order.

    Raises:
        UserError: lines of a recording without references, or not as many texts as segments.
    """
    if len(lines.segments) != len(lines.texts):
        raise UserError(
            f"{lines.system} has {len(lines.texts)} lines for {len(lines.segments)} segments: give one line each."
        )
    said: dict[str, list[str]] = {}
    for segment, text in zip(lines.segments, lines.texts, strict=True):
        said.setdefault(segment.wav, []).append(text)
    gold: dict[str, list[str]] = {}
    for wav, line in zip(_recordings(test_set, lines.target), test_set.references[lines.target], strict=True):
        gold.setdefault(wav, []).append(line)
    unknown = sorted(set(said) - set(gold))
    if unknown:
        raise UserError(f"{test_set.name} has no references of {unknown[0]}: score the set that it belongs to.")
    return tuple(
        Talk(wav, join(said.get(wav, []), lines.target), tuple(references)) for wav, references in gold.items()
    )


def _recordings(test_set: TestSet, target: str) -> tuple[str, ...]:
    """Return the recording that each reference line belongs to."""
    if test_set.gold is not None:
        return tuple(segment.wav for segment in test_set.gold.segments)
    if test_set.sentence_wavs is not None:
        return test_set.sentence_wavs
    if len(test_set.file_order) == 1:
        return test_set.file_order * len(test_set.references[target])
    raise UserError(
        f"{test_set.name} does not say which recording each reference line belongs to, so it cannot be scored: "
        "give it gold segments."
    )


def _sources(test_set: TestSet, settings: Scoring) -> tuple[str, ...] | None:
    """Return the set's transcripts, or those of the file that the task names for a set that came without."""
    named = settings.comet.sources.get(test_set.name) if settings.comet else None
    if test_set.source is not None or named is None:
        return test_set.source
    path = data_root() / Path(named).expanduser()
    try:
        return tuple(read_bounded(path).decode().removesuffix("\n").split("\n"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: save the source sentences as UTF-8, one a line.") from error
