"""Re-scoring: scores and ranks a folder of submissions of any team; archives are treated as untrusted input.

A submission is `NAME.zip` or a folder `NAME`, both in the campaign's layout `TASK/SET/src_tgt.txt`. Where its lines
do not correspond to the gold segments, its segmentation is `NAME.segments/SET.yaml` in the same folder. The size is
read from its description (`All files: 1,234 bytes`) and reported as declared.
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
from harness.core.text import one_line
from harness.core.workdir import WorkDir
from harness.evaluation.external_hypotheses import ExternalHypotheses, segments_for
from harness.scoring.context import ScoringContext
from harness.scoring.metric import Metric, Scale, Score, get_metric
from harness.scoring.significance import Interval, clusters, interval
from harness.scoring.statistics import Statistics, statistics_of
from harness.submission.check import DESCRIPTION_SUFFIX
from harness.submission.check.container import COUNT_LIMIT, MEMBER_LIMIT, Member, read_archive
from harness.submission.check.layout import file_name
from harness.testsets.load import load_if_published
from harness.testsets.segments import Segment
from harness.testsets.segments_yaml import read_yaml
from harness.testsets.testset import TestSet

_SIZE = re.compile(r"All files: ([0-9][0-9,]*) bytes")
_DESCRIPTION_LIMIT = 1 << 20


class Rescored(msgspec.Struct, frozen=True, kw_only=True):
    """One submission on one test set in one direction.

    Attributes:
        name: of the archive or folder.
        test_set: its name.
        direction: e.g. `en-de`.
        declared_bytes: size according to its description, or None.
        scores: empty where the set has no references.
        interval: bootstrap interval of the first metric; None without references.
        cluster: significance cluster among the submissions of this set and direction; None without references.
    """

    name: str
    test_set: str
    direction: str
    declared_bytes: int | None
    scores: tuple[Score, ...]
    interval: Interval | None = None
    cluster: int | None = None

    def value(self, metric: str) -> float | None:
        """Return the value of a metric, or None where it was not measured."""
        return next((score.value for score in self.scores if score.metric == metric), None)


class RescoreReport(msgspec.Struct, frozen=True):
    """The rows of all submissions, best first within each set and direction, and what could not be scored."""

    rows: tuple[Rescored, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Submission:
    """A submission that was read: its name, the folder of its description and segmentations, and its files."""

    name: str
    folder: Path
    members: tuple[Member, ...]


def rescore(folder: Path, task: Task, workdir: WorkDir) -> RescoreReport:
    """Score every submission of a folder on every test set of the task, and rank them.

    Faults of one submission are findings and do not stop the others.

    Raises:
        UserError: the folder holds no submission, or a test set cannot be read.
    """
    findings: list[Finding] = []
    submissions = tuple(_submissions(folder, findings))
    if not submissions:
        raise UserError(f"{folder} holds no submission: put archives (NAME.zip) or unpacked folders there.")
    rows: list[Rescored] = []
    for direction in task.directions:
        for entry in task.sets(direction):
            test_set = load_if_published(entry, task, workdir)
            if test_set is not None:
                context = ScoringContext(task, test_set, direction, workdir)
                rows += _rank([_read(each, context, findings) for each in submissions], context, findings)
    return RescoreReport(tuple(rows), tuple(findings))


def _submissions(folder: Path, findings: list[Finding]) -> Iterator[_Submission]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"Cannot read {folder}: {error.strerror or error}.") from error
    for path in entries:
        if path.suffix == ".zip" and path.is_file():
            yield _archive(path, findings)
        elif path.is_dir() and not path.name.endswith(".segments") and not path.name.startswith("."):
            yield from _folder(path, findings)


def _folder(path: Path, findings: list[Finding]) -> Iterator[_Submission]:
    """Read an unpacked submission, or the archives in a folder of their own, as `write_archive` writes them."""
    archives = sorted(path.glob("*.zip"))
    if not archives:
        yield _Submission(path.name, path.parent, tuple(_members(path)))
    yield from (_archive(archive, findings) for archive in archives)


def _archive(path: Path, findings: list[Finding]) -> _Submission:
    contents = read_archive(path)
    findings += contents.findings
    return _Submission(path.stem, path.parent, contents.members)


def _members(root: Path) -> Iterator[Member]:
    """Read the plain files of an unpacked submission, without following links, within the limits of archives."""
    files = [path for path in sorted(root.glob("*/*/*.txt")) if path.is_file() and not path.is_symlink()]
    for path in files[:COUNT_LIMIT]:
        if path.resolve().is_relative_to(root.resolve()):
            yield Member(path.relative_to(root).as_posix(), read_bounded(path, MEMBER_LIMIT))


def _read(submission: _Submission, context: ScoringContext, findings: list[Finding]) -> ExternalHypotheses | None:
    """Return a submission's translations of a test set, or None; where they are faulty, add a finding."""
    test_set = context.test_set
    path = f"{context.task.names.archive_task}/{test_set.campaign_name}/{file_name(context.direction)}"
    member = next((member for member in submission.members if member.name == path), None)
    if member is None or member.data is None:
        return None
    where = f"{submission.name}/{path}"
    try:
        texts = tuple(one_line(line) for line in member.data.decode("utf-8-sig").removesuffix("\n").split("\n"))
        return ExternalHypotheses(
            name=submission.name,
            test_set=test_set.name,
            direction=context.direction,
            declared_bytes=_declared_bytes(submission),
            source=where,
            segments=_segments(submission, test_set, len(texts)),
            texts=texts,
        )
    except (UserError, UnicodeDecodeError) as error:
        findings.append(Finding(where, "not-scored", str(error)))
        return None


def _segments(submission: _Submission, test_set: TestSet, lines: int) -> tuple[Segment, ...]:
    path = submission.folder / f"{submission.name}.segments" / f"{test_set.campaign_name}.yaml"
    found = read_yaml(path) if path.is_file() else segments_for(lines, test_set, submission.name)
    if len(found) != lines:
        raise UserError(f"{path} has {len(found)} segments for {lines} lines: use the segmentation of these lines.")
    return found


def _declared_bytes(submission: _Submission) -> int | None:
    path = submission.folder / f"{submission.name}{DESCRIPTION_SUFFIX}"
    if not path.is_file():
        return None
    match = _SIZE.search(read_bounded(path, _DESCRIPTION_LIMIT).decode(errors="replace"))
    return int(match[1].replace(",", "")) if match else None


def _rank(
    read: Sequence[ExternalHypotheses | None], context: ScoringContext, findings: list[Finding]
) -> list[Rescored]:
    rows, statistics = list[Rescored](), list[Statistics]()
    for external in (each for each in read if each is not None):
        try:
            row, own = _score(external, context)
        except UserError as error:
            findings.append(Finding(external.source, "not-scored", str(error)))
            continue
        rows.append(row)
        statistics += own
    return _sorted(rows, statistics, _first_metric(context).scale)


def _first_metric(context: ScoringContext) -> Metric:
    return get_metric(context.task.scoring.metrics[0], context.task.scoring)


def _score(external: ExternalHypotheses, context: ScoringContext) -> tuple[Rescored, list[Statistics]]:
    """Return a row, and the statistics of the task's first metric where it was measured."""
    scored, first = context.scored(external.lines), _first_metric(context)
    statistics = [
        statistics_of(first, each.statistics)
        for each in scored
        if each.score.metric == first.scale.name and each.statistics
    ]
    row = Rescored(
        name=external.name, test_set=external.test_set, direction=external.direction,
        declared_bytes=external.declared_bytes, scores=tuple(each.score for each in scored),
    )  # fmt: skip
    return row, statistics


def _sorted(rows: Sequence[Rescored], statistics: Sequence[Statistics], scale: Scale) -> list[Rescored]:
    """Return rows sorted by the first metric, with intervals and clusters where every row has statistics."""
    if len(statistics) == len(rows):
        rows = [
            msgspec.structs.replace(row, interval=interval([own]), cluster=cluster)
            for row, own, cluster in zip(rows, statistics, clusters(statistics), strict=True)
        ]

    def order(row: Rescored) -> tuple[bool, float, str]:
        value = row.value(scale.name)
        return value is None, -scale.quality(value or 0.0), row.name

    return sorted(rows, key=order)
