"""Re-scoring a folder of submissions, anyone's: every archive is read without trust, scored and ranked.

A submission is `NAME.zip` or a folder `NAME`, both in the campaign's layout `TASK/SET/src_tgt.txt`. Where its lines
are not of the gold segments, the segmentation lies beside it as `NAME.segments/SET.yaml`. A size is taken from its
description (`All files: 1,234 bytes`) and shown as declared.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.config.task import Task
from harness.core.errors import UserError
from harness.core.files import read_bounded
from harness.core.findings import Finding
from harness.core.progress import log_once
from harness.core.text import one_line
from harness.core.workdir import WorkDir
from harness.evaluation.external_hypotheses import ExternalHypotheses, segments_for
from harness.scoring.context import ScoringContext
from harness.scoring.metric import Scale, Score, get_metric
from harness.scoring.significance import Interval, clusters, interval
from harness.scoring.statistics import Statistics, statistics_of
from harness.submission.check import DESCRIPTION_SUFFIX
from harness.submission.check.container import COUNT_LIMIT, MEMBER_LIMIT, Member, read_archive
from harness.submission.check.layout import file_name
from harness.testsets.load import load_test_set
from harness.testsets.segments import Segment
from harness.testsets.segments_yaml import read_yaml
from harness.testsets.testset import TestSet

_SIZE = re.compile(r"All files: ([0-9][0-9,]*) bytes")
_DESCRIPTION_LIMIT = 1 << 20


class Rescored(msgspec.Struct, frozen=True, kw_only=True):
    """One submission on one test set in one direction.

    Attributes:
        name: of the archive or folder.
        test_set: name of the test set.
        direction: e.g. `en-de`.
        declared_bytes: the size that its description declares; None where there is none.
        scores: empty where the set has no references.
        interval: of the first metric, by bootstrap; None without references.
        cluster: among the submissions of this set and direction; None without references.
    """

    name: str
    test_set: str
    direction: str
    declared_bytes: int | None
    scores: tuple[Score, ...]
    interval: Interval | None = None
    cluster: int | None = None

    def value(self, metric: str) -> float | None:
        """Return the number of a metric, or None when it was not measured."""
        return next((score.value for score in self.scores if score.metric == metric), None)


class Report(msgspec.Struct, frozen=True):
    """What re-scoring a folder gave: rows, best first within each set and direction, and what could not be read."""

    rows: tuple[Rescored, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Submission:
    """A submission that was read: its name, where its companions lie, and its files."""

    name: str
    folder: Path
    members: tuple[Member, ...]

    def find(self, path: str) -> Member | None:
        return next((member for member in self.members if member.name == path), None)


def rescore(folder: Path, task: Task, workdir: WorkDir) -> Report:
    """Score every submission of a folder on every test set of the task, and rank them.

    What is wrong with one submission is a finding, and the others go on.

    Raises:
        UserError: the folder holds no submission, or a test set does not read.
    """
    findings: list[Finding] = []
    submissions = tuple(_submissions(folder, findings))
    if not submissions:
        raise UserError(f"{folder} holds no submission: put archives (NAME.zip) or unpacked folders there.")
    rows: list[Rescored] = []
    for direction in task.directions:
        for entry in task.sets(direction):
            test_set = _present(entry, task, direction, workdir)
            if test_set is not None:
                context = ScoringContext(task, test_set, direction, workdir)
                rows += _rank([_read(one, context, findings) for one in submissions], context, findings)
    return Report(tuple(rows), tuple(findings))


def _present(entry: str, task: Task, direction: str, workdir: WorkDir) -> TestSet | None:
    """Import a set; a blind set that is not there is left out and said."""
    try:
        return load_test_set(entry, workdir)
    except UserError as error:
        if entry in task.test_sets.get(direction, ()):
            raise
        log_once(f"left out: {error}")
        return None


def _submissions(folder: Path, findings: list[Finding]) -> Iterator[_Submission]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"Cannot read {folder}: {error.strerror or error}.") from error
    for path in entries:
        if path.suffix == ".zip" and path.is_file():
            contents = read_archive(path)
            findings += contents.findings
            yield _Submission(path.stem, folder, contents.members)
        elif path.is_dir() and not path.name.endswith(".segments") and not path.name.startswith("."):
            yield from _folder(path, findings)


def _folder(path: Path, findings: list[Finding]) -> Iterator[_Submission]:
    """Read an unpacked submission, or the archives that lie in a folder of their own, as they are packed here."""
    archives = sorted(path.glob("*.zip"))
    if not archives:
        yield _Submission(path.name, path.parent, tuple(_members(path)))
    for archive in archives:
        contents = read_archive(archive)
        findings += contents.findings
        yield _Submission(archive.stem, path, contents.members)


def _members(root: Path) -> Iterator[Member]:
    """Read an unpacked submission: plain files below it, not through links, as many and as large as an archive's."""
    files = [path for path in sorted(root.glob("*/*/*.txt")) if path.is_file() and not path.is_symlink()]
    for path in files[:COUNT_LIMIT]:
        if path.resolve().is_relative_to(root.resolve()):
            yield Member(path.relative_to(root).as_posix(), read_bounded(path, MEMBER_LIMIT))


def _read(one: _Submission, context: ScoringContext, findings: list[Finding]) -> ExternalHypotheses | None:
    """Return a submission's translations of a test set; None, with a finding where that is a fault."""
    test_set = context.test_set
    path = f"{context.task.names.archive_task}/{test_set.campaign_name}/{file_name(context.direction)}"
    member = one.find(path)
    if member is None or member.data is None:
        return None
    where = f"{one.name}/{path}"
    try:
        texts = tuple(one_line(line) for line in member.data.decode("utf-8-sig").removesuffix("\n").split("\n"))
        return ExternalHypotheses(
            name=one.name,
            test_set=test_set.name,
            direction=context.direction,
            declared_bytes=_declared(one),
            source=where,
            segments=_segments(one, test_set, len(texts)),
            texts=texts,
        )
    except (UserError, UnicodeDecodeError) as error:
        findings.append(Finding(where, "not-scored", str(error)))
        return None


def _segments(one: _Submission, test_set: TestSet, lines: int) -> tuple[Segment, ...]:
    beside = one.folder / f"{one.name}.segments" / f"{test_set.campaign_name}.yaml"
    found = read_yaml(beside) if beside.is_file() else segments_for(lines, test_set, one.name)
    if len(found) != lines:
        raise UserError(f"{beside} has {len(found)} segments for {lines} lines: put the one that was translated there.")
    return found


def _declared(one: _Submission) -> int | None:
    path = one.folder / f"{one.name}{DESCRIPTION_SUFFIX}"
    if not path.is_file():
        return None
    match = _SIZE.search(read_bounded(path, _DESCRIPTION_LIMIT).decode(errors="replace"))
    return int(match[1].replace(",", "")) if match else None


def _rank(
    made: Sequence[ExternalHypotheses | None], context: ScoringContext, findings: list[Finding]
) -> list[Rescored]:
    rows: list[Rescored] = []
    found: list[Statistics] = []
    for one in (one for one in made if one is not None):
        try:
            scores, statistics = _score(one, context)
        except UserError as error:
            findings.append(Finding(one.source, "not-scored", str(error)))
            continue
        rows.append(_row(one, scores))
        found += statistics
    return _placed(rows, found, get_metric(context.task.scoring.metrics[0], context.task.scoring).scale)


def _score(one: ExternalHypotheses, context: ScoringContext) -> tuple[tuple[Score, ...], list[Statistics]]:
    """Return the scores, and the statistics of the task's first metric where it was measured."""
    scored = context.scored(one.lines)
    first = get_metric(context.task.scoring.metrics[0], context.task.scoring)
    statistics = [statistics_of(first, each.statistics) for each in scored if each.score.metric == first.scale.name]
    return tuple(each.score for each in scored), statistics


def _row(one: ExternalHypotheses, scores: tuple[Score, ...]) -> Rescored:
    return Rescored(
        name=one.name,
        test_set=one.test_set,
        direction=one.direction,
        declared_bytes=one.declared_bytes,
        scores=scores,
    )


def _placed(rows: Sequence[Rescored], found: Sequence[Statistics], scale: Scale) -> list[Rescored]:
    """Return rows by the first metric, with intervals and clusters where every row has statistics."""
    if len(found) == len(rows):
        rows = [
            msgspec.structs.replace(row, interval=interval([one]), cluster=cluster)
            for row, one, cluster in zip(rows, found, clusters(found), strict=True)
        ]
    return sorted(rows, key=lambda row: (row.value(scale.name) is None, -_quality(row, scale), row.name))


def _quality(row: Rescored, scale: Scale) -> float:
    return scale.quality(row.value(scale.name) or 0.0)
