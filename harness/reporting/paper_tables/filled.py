"""A published table with our numbers beside each of its own."""

from collections.abc import Callable

import msgspec

from harness.reporting.paper_tables.published import (
    Figure,
    Measure,
    Paper,
    PublishedColumn,
    PublishedRow,
    PublishedTable,
    Quantity,
)
from harness.reporting.paper_tables.result_index import ResultIndex


class OurNumber(msgspec.Struct, frozen=True):
    """A number that was measured here; direction and test set are empty for a size.

    Attributes:
        measure: what it is; sizes are bytes, BLEU and COMET x 100.
        value: of several systems the mean; None unless all were measured.
    """

    measure: Measure
    direction: str
    test_set: str
    value: float | None


class Cell(msgspec.Struct, frozen=True):
    """The number measured here and the published one."""

    ours: OurNumber
    published: Figure


class FilledRow(msgspec.Struct, frozen=True, kw_only=True):
    """A `PublishedRow` whose cells, one per column of the paper, also hold the numbers measured here.

    Attributes:
        also: what was measured here and the paper does not print.
    """

    row: str
    label: str
    systems: tuple[str, ...]
    cells: tuple[Cell, ...]
    also: tuple[OurNumber, ...]
    source: str


class FilledTable(msgspec.Struct, frozen=True, kw_only=True):
    """A `PublishedTable` of a `Paper` with the numbers measured here.

    Attributes:
        task: name of the task that ours were measured for.
        quantities: how the printed numbers are read, by name.
        absent: why some of the systems have no artifact here, by name.
    """

    id: str
    task: str
    paper: str
    paper_title: str
    number: str
    title: str
    note: str
    quantities: dict[str, Quantity]
    columns: tuple[PublishedColumn, ...]
    also: tuple[Measure, ...]
    rows: tuple[FilledRow, ...]
    absent: dict[str, str]


def fill(paper: Paper, table: PublishedTable, task: str, results: ResultIndex) -> FilledTable:
    """Combine a paper's table with the measured numbers of a task, which is given by name.

    Raises:
        UserError: an evaluation on disk cannot be read.
    """
    systems = {name for row in table.rows for name in row.systems}
    return FilledTable(
        id=table.id,
        task=task,
        paper=paper.paper,
        paper_title=paper.title,
        number=table.number,
        title=table.title,
        note=table.note,
        quantities={column.quantity: paper.quantities[column.quantity] for column in table.columns},
        columns=table.columns,
        also=table.also,
        rows=tuple(_row(paper, table, row, results) for row in table.rows),
        absent={name: reason for name, reason in results.absent.items() if name in systems},
    )


def _row(paper: Paper, table: PublishedTable, row: PublishedRow, results: ResultIndex) -> FilledRow:
    ours = [_ours(table, row, column, results) for column in table.columns]
    return FilledRow(
        row=row.row,
        label=row.label,
        systems=row.systems,
        cells=tuple(Cell(*pair) for pair in zip(ours, paper.figures(row, table), strict=True)),
        also=tuple(OurNumber(kind, "", "", _mean(results, row.systems, kind, ("", ""))) for kind in table.also),
        source=row.source,
    )


def _ours(table: PublishedTable, row: PublishedRow, column: PublishedColumn, results: ResultIndex) -> OurNumber:
    where = (column.direction, (column.test_set or results.test_set(column.direction)) if column.direction else "")
    if column.ours not in _RELATIVE:
        return OurNumber(column.ours, *where, _mean(results, row.systems, column.ours, where))
    kind, relate = _RELATIVE[column.ours]
    value, base = (_mean(results, names, kind, where) for names in (row.systems, (table.base,)))
    return OurNumber(column.ours, *where, None if value is None or base is None else relate(value, base))


_RELATIVE: dict[Measure, tuple[Measure, Callable[[float, float], float]]] = {
    Measure.COMET_DIFFERENCE: (Measure.COMET, lambda value, base: value - base),
    Measure.LINEAR_LAYERS_RATIO: (Measure.LINEAR_LAYERS, lambda value, base: base / value),
}
"""What is related to the table's base: the number that both have, and how they are related."""


def _mean(results: ResultIndex, systems: tuple[str, ...], kind: Measure, where: tuple[str, str]) -> float | None:
    """Return the mean over systems; None unless every one was measured, since a mean over fewer is another number."""
    found = [results.value(name, kind, *where) for name in systems]
    values = [value for value in found if value is not None]
    return sum(values) / len(values) if len(values) == len(systems) else None
