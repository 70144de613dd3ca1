"""The leaderboard as Markdown: tables, definitions, and the signature of every number."""

from collections.abc import Sequence

from harness.core.markdown import aligned_table
from harness.reporting.leaderboard.columns import NO_REFERENCE, columns, missing
from harness.reporting.leaderboard.means import means
from harness.reporting.leaderboard.rows import Leaderboard, Row, Section, best_within_limit, standings
from harness.scoring.metric import describe_units

_DEFINITIONS = """\
## How to read the ranks

- ★ Pareto frontier: no other system of the table is at least as good and at least as small, and strictly better in \
one of the two ({metric} and bytes, compared exactly). Two equal systems are both on it.
- rank: 1 + the number of systems with a {better} {metric}, or with the same {metric} and fewer bytes; systems equal \
in both share a rank, and the next one is skipped.
- size rank: 1 + the number of systems with fewer bytes.
- A system without {metric} has no rank and is not on the frontier.
- Means are unweighted over the directions, and only over numbers measured in every one of them; of peak memory the \
highest stands."""
_CLUSTERS = """\
- cluster: a line stands between two clusters when every system above it has a significantly {better} {metric} than \
every one below (paired bootstrap, 1000 resamples, p < 0.05); within a cluster no rank is certain. The interval is the \
bootstrap's 95 % of {metric}."""
_DEMO_COMET = """\
- COMET here is `demo-comet`, a tiny model trained on the demo's own sentences with made-up errors: it is never \
comparable with a published COMET."""
DEMO_COMET = "|model:demo-comet@"  # contained in the signatures of the demo's own COMET


def render_markdown(board: Leaderboard) -> str:
    """Return the board as Markdown: means, one table per direction, definitions, and every number's signature."""
    tables = [_markdown_section(board, section) for section in (*means(board.sections), *board.sections)]
    parts = [f"# Leaderboard: {board.title}", _heading(board), *tables, _definitions(board), _signatures(board)]
    return "\n\n".join(parts) + "\n"


def _heading(board: Leaderboard) -> str:
    sign = "<" if board.limit.strict else "<="
    note = f" ({board.limit.note})" if board.limit.note else ""
    return (
        f"Task `{board.task}`; limit: size {sign} {board.limit.bytes:,} bytes, counting {board.limit.counts}{note}.\n"
        f"Units: {describe_units(board.metrics)}; "
        "GB = 10^9 bytes, GiB = 2^30 bytes, both of all files; `-` = not measured."
    )


def _markdown_section(board: Leaderboard, section: Section) -> str:
    shown = columns(board)
    absent = [missing(column, board, section, "-") for column in shown]
    ranked = standings(section, board.quality)
    rows = [[column.text(each, text) for column, text in zip(shown, absent, strict=True)] for each in ranked]
    left = {index for index, column in enumerate(shown) if not column.is_number}
    table = aligned_table([column.header for column in shown], rows, left)
    return "\n".join([f"## {section.title}", "", *table, "", *_remarks(board, section)])


def _remarks(board: Leaderboard, section: Section) -> list[str]:
    lines = [f"- {best_sentence(board, section)}", _bases(section.rows)]
    if declared := sorted(row.system for row in section.rows if row.declared):
        lines.append(f"- External; bytes as declared, not measured: {', '.join(declared)}.")
    if section.left_out:
        lines.append(f"- Not evaluated in every direction, so not in this table: {', '.join(section.left_out)}.")
    return lines


def best_sentence(board: Leaderboard, section: Section) -> str:
    """Return the best system within the limit, in one sentence."""
    if not section.has_references:
        return f"Best within the limit: not known; {NO_REFERENCE}, so nothing is scored."
    scale = board.quality
    best = best_within_limit(section, scale)
    if best is None:
        return f"Best within the limit: none; no system that keeps it has a {scale.name}."
    value = format(best.value(scale.name), scale.form)
    return f"Best within the limit: {best.system} ({scale.name} {value}, {best.bytes:,} bytes)."


def _bases(rows: Sequence[Row]) -> str:
    found = {row.role: row.base for row in rows if row.base is not None}
    texts = [f"{role}: {base.system} ({base.bytes:,} bytes)" for role, base in sorted(found.items())]
    named = "; ".join(texts) or "none was built"
    return f"- fp16 / size: how many times smaller than the 16-bit system of the same role. {named}."


def _definitions(board: Leaderboard) -> str:
    rows = [row for section in board.sections for row in section.rows]
    lines = [_DEFINITIONS.format(metric=board.quality.name, better=board.quality.better)]
    if any(row.interval for row in rows):
        lines.append(_CLUSTERS.format(metric=board.quality.name, better=board.quality.better))
    if any(DEMO_COMET in score.signature for row in rows for score in row.scores):
        lines.append(_DEMO_COMET)
    return "\n".join(lines)


def _signatures(board: Leaderboard) -> str:
    """List the signature of every number; that of the sizes is the artifact's id, which covers every byte."""
    lines = ["## Signatures"]
    for section in board.sections:
        lines += ["", f"### {section.title}", ""]
        for standing in standings(section, board.quality):
            lines += _signature_lines(standing.row, board.metric_names)
    return "\n".join(lines)


def _signature_lines(row: Row, metrics: Sequence[str]) -> list[str]:
    lines = [f"- {row.system}", f"  - size: `byte sum of all files|artifact:{row.artifact}`"]
    found = [(metric, row.score(metric)) for metric in metrics]
    lines += [f"  - {metric}: `{score.signature}` ({score.segments} segments)" for metric, score in found if score]
    return [*lines, f"  - speed: `{row.speed.signature}`"] if row.speed else lines
