"""A filled table as rows of texts, with headers that state the origin and unit of each number."""

from dataclasses import dataclass

from harness.reporting.paper_tables.filled import FilledRow, FilledTable, OurNumber
from harness.reporting.paper_tables.published import Figure, Measure, PublishedColumn, Quantity

NOT_MEASURED = "-"
_NAMES = ("row", "published as", "our system")
_FORMS_AND_UNITS = {
    Measure.BLEU: (".2f", "x 100"),
    Measure.COMET: (".2f", "x 100"),
    Measure.COMET_DIFFERENCE: ("+.2f", "x 100"),
    Measure.SECONDS: (".3f", "s, batch 1"),
    Measure.ALL_FILES: (",.0f", "bytes, all files"),
    Measure.LINEAR_LAYERS: (",.0f", "bytes, linear layers with biases"),
    Measure.LINEAR_LAYERS_RATIO: (".3f", "16 bit to this, linear layers with biases"),
}
_FORMS = {measure: form for measure, (form, _) in _FORMS_AND_UNITS.items()}
_UNITS = {measure: unit for measure, (_, unit) in _FORMS_AND_UNITS.items()}


@dataclass(frozen=True)
class TextTable:
    """A table of texts.

    Attributes:
        headers: one per column, with unit and origin of the number.
        short: the same without units for narrow tables; the legend has the units.
        left: indices of columns that are aligned at the left; the others hold numbers.
        legend: lines that explain how the numbers are read.
    """

    title: str
    headers: tuple[str, ...]
    short: tuple[str, ...]
    left: frozenset[int]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[str, ...]


def as_text(filled: FilledTable) -> TextTable:
    """Return a filled table as texts."""
    pairs = [header for column in filled.columns for header in _pair(column, filled.quantities[column.quantity])]
    brief = [header for column in filled.columns for header in (f"{column.header} ours", "published")]
    headers = (*_NAMES, *pairs, *(f"size, ours ({_UNITS[kind]})" for kind in filled.also), "source")
    return TextTable(
        title=f"{filled.paper}, {filled.number}: {filled.title}",
        headers=headers,
        short=(*_NAMES, *brief, *(f"{kind} ours" for kind in filled.also), "source"),
        left=frozenset({0, 1, 2, len(headers) - 1}),
        rows=tuple(_row(filled, row) for row in filled.rows),
        legend=tuple(_legend(filled)),
    )


def _pair(column: PublishedColumn, quantity: Quantity) -> tuple[str, str]:
    ours, published = _UNITS[column.ours], f" ({quantity.unit})" if quantity.unit else ""
    return f"{column.header}, ours ({ours})", f"{column.header}, published{published}"


def _row(filled: FilledTable, row: FilledRow) -> tuple[str, ...]:
    cells: list[str] = []
    for cell, column in zip(row.cells, filled.columns, strict=True):
        cells += [_ours(cell.ours), _published(cell.published, filled.quantities[column.quantity].scope)]
    systems = f"mean of {', '.join(row.systems)}" if len(row.systems) > 1 else row.systems[0]
    return (row.row, row.label, systems, *cells, *map(_ours, row.also), row.source)


def _ours(number: OurNumber) -> str:
    return NOT_MEASURED if number.value is None else format(number.value, _FORMS[number.measure])


def _published(figure: Figure, usual: str) -> str:
    return figure.text if figure.scope == usual else f"{figure.text} ({figure.scope})"


def _legend(filled: FilledTable) -> list[str]:
    lines = [filled.note] if filled.note else []
    kinds = dict.fromkeys((*(column.ours for column in filled.columns), *filled.also))
    units = ", ".join(f"{kind} ({_UNITS[kind]})" for kind in kinds)
    lines.append(f"Ours: task `{filled.task}`{_test_sets(filled)}; {units}; `{NOT_MEASURED}` = not measured here.")
    lines += [_reading(name, quantity) for name, quantity in filled.quantities.items()]
    lines.append(
        "Published: `not published` = the paper does not report it; `not available` = the paper may print it, "
        "but not in the text that these figures were read from."
    )
    return [*lines, f"Source: {filled.paper_title}."]


def _test_sets(filled: FilledTable) -> str:
    cells = [cell for row in filled.rows for cell in row.cells]
    names = dict.fromkeys((c.ours.direction, c.ours.test_set) for c in cells if c.ours.test_set)
    return ", " + ", ".join(f"{direction} on {name}" for direction, name in names) if names else ""


def _reading(name: str, quantity: Quantity) -> str:
    printed = f"; printed as {quantity.printed_unit}" if quantity.printed_unit != quantity.unit else ""
    unit = f" in {quantity.unit}" if quantity.unit else ""
    note = f" ({quantity.note})" if quantity.note else ""
    return f"Published {name.removeprefix('blind-')}{unit}: {quantity.scope}{printed}{note}."
